import "@holdpoint/testing/vitest";
import { expect, test } from "vitest";
import policy, { filesystemPolicy } from "./filesystem.ts";

const read = (path: unknown) => ({ tool: "read_text_file", arguments: { path } });

test("files below the root are read", () => expect(policy).toAllow(read("/workspace/src/main.ts")));

test.each(["/etc/passwd", "/workspace-2/a", "/workspace/../etc/passwd", "/workspace/%2e%2e/a", "src/main.ts", "~/a", "", 7])(
  "%s is not",
  (path) => expect(policy).toDeny(read(path), { message: "Only files below /workspace may be touched." }),
);

test.each(["/workspace/.env", "/workspace/app/.env", "/workspace/.git/config", "/workspace/keys/id_ed25519", "/workspace/tls/server.pem"])(
  "%s stays closed",
  (path) => expect(policy).toDeny(read(path), { message: "Keys and settings stay closed." }),
);

test("of several files each must be below the root", async () => {
  const both = (...paths: string[]) => ({ tool: "read_multiple_files", arguments: { paths } });
  await expect(policy).toAllow(both("/workspace/a", "/workspace/b"));
  await expect(policy).toDeny(both("/workspace/a", "/etc/passwd"));
  await expect(policy).toDeny(both("/workspace/a", "/workspace/.env"));
});

test("a file is moved inside the root alone", async () => {
  const move = (source: string, destination: string) => ({ tool: "move_file", arguments: { source, destination } });
  await expect(policy).toAllow(move("/workspace/a", "/workspace/b"));
  await expect(policy).toDeny(move("/workspace/a", "/tmp/b"));
});

test("all writes together are thirty a minute", () =>
  expect(policy).toAdmitExactly(30, { tool: "write_file", arguments: { path: "/workspace/a", content: "x" } }));

test("the root is the caller's to choose", () => expect(filesystemPolicy("/srv/files")).toAllow(read("/srv/files/a")));
