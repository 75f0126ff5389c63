import "@holdpoint/testing/vitest";
import { expect, test } from "vitest";
import policy from "./sequential-thinking.ts";

const think = (thoughtNumber: number) => ({
  tool: "sequentialthinking",
  arguments: { thought: "…", nextThoughtNeeded: true, thoughtNumber, totalThoughts: 3 },
});

test("a thought is allowed", () => expect(policy).toAllow(think(1)));

test("after a hundred thoughts it is time to conclude", async () => {
  await expect(policy).toAllow(think(100));
  await expect(policy).toDeny(think(101), { message: "A hundred thoughts are enough: conclude." });
});

test("an hour has three hundred thoughts", () => expect(policy).toAdmitExactly(300, think(1)));
