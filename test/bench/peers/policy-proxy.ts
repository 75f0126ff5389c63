// A stand-in for a policy proxy, not anybody's product: it sits on stdio between a client and the server that it starts, reads every message, judges
// `tools/call` by the compiled policy, and passes the rest on. It does the least that a proxy must do, so a real one costs more.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { compilePolicy, decide } from "@holdpoint/core";
import { proxied } from "./proxied-policy.ts";

const policy = compilePolicy(proxied);
const [command = "", ...args] = process.argv.slice(2);
const upstream = spawn(command, args, { stdio: ["pipe", "pipe", "ignore"] });
createInterface({ input: upstream.stdout }).on("line", (line) => void process.stdout.write(`${line}\n`));
createInterface({ input: process.stdin })
  .on("line", (line) => {
    const message = JSON.parse(line);
    const refusal = message.method === "tools/call" ? refusalOf(message.params) : undefined;
    if (refusal === undefined) upstream.stdin.write(`${line}\n`);
    else process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id: message.id, result: refusal })}\n`);
  })
  .on("close", () => void upstream.kill());

function refusalOf(params: { readonly name: string; readonly arguments: Record<string, never> }): object | undefined {
  const call = { server: "server", tool: params.name, arguments: params.arguments, context: { grant: "default" } };
  const decision = decide(policy, call, { now: Date.now(), namespace: "", definition: { state: "not_needed" }, mode: "enforce" });
  if (decision.outcome === "allow") return undefined;
  return { isError: true, content: [{ type: "text", text: decision.outcome === "deny" ? decision.message : "not permitted" }] };
}
