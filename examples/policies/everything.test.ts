import "@holdpoint/testing/vitest";
import { expect, test } from "vitest";
import policy from "./everything.ts";

test("an echo is allowed, up to a length", async () => {
  await expect(policy).toAllow({ tool: "echo", arguments: { message: "x".repeat(2_000) } });
  await expect(policy).toDeny({ tool: "echo", arguments: { message: "x".repeat(2_001) } }, { message: "At most 2,000 characters." });
});

test("the environment of the server is hidden", () => expect(policy).toDeny({ tool: "get-env" }, { rule: "(hidden)" }));

test.each(["https://raw.githubusercontent.com/a/b/main/c.txt"])("%s is fetched", (data) =>
  expect(policy).toAllow({ tool: "gzip-file-as-resource", arguments: { data } }),
);

test.each(["http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "https://raw.githubusercontent.com@evil.example/a", undefined])(
  "%s is not",
  (data) => expect(policy).toDeny({ tool: "gzip-file-as-resource", arguments: { data } }),
);

test("a long operation lasts a minute at most", async () => {
  await expect(policy).toAllow({ tool: "trigger-long-running-operation", arguments: { duration: 60 } });
  await expect(policy).toAllow({ tool: "trigger-long-running-operation", arguments: {} });
  await expect(policy).toDeny({ tool: "trigger-long-running-operation", arguments: { duration: 61 } });
});
