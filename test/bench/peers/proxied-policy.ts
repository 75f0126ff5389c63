import type { PolicyDocument } from "@holdpoint/core";

/** What the guard in the process and the proxy beside it both hold calls to. */
export const proxied: PolicyDocument = {
  version: "1",
  default: "deny",
  tools: { echo: { deny_if: [{ path: "args.message", op: "eq", value: "forbidden" }] } },
};
