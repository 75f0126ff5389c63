import * as fc from "fast-check";
import { expect, test } from "vitest";
import { cases } from "../model/effort.ts";
import { limits, storm, weather } from "./storm.ts";

test("[no-over-admission] in any interleaving and with a fault at every await, no counter admits more than its limit", async () => {
  await fc.assert(
    fc.asyncProperty(weather(), async (given) => {
      for (const { calls, counted, peak, amount } of (await storm(given)).sent) {
        expect(calls).toBeLessThanOrEqual(limits.pays);
        expect(counted).toBeLessThanOrEqual(limits.answered);
        expect(peak).toBeLessThanOrEqual(limits.open);
        expect(amount).toBeLessThanOrEqual(limits.spent);
      }
    }),
    { numRuns: cases(100) },
  );
});

test("[refused-spends-nothing] in any interleaving, what is left is what was not sent", async () => {
  await fc.assert(
    fc.asyncProperty(weather(fc.constant([])), async (given) => {
      const { sent, left } = await storm(given);
      for (const [index, { calls, counted, amount }] of sent.entries()) {
        const slots = limits.open;
        expect(left[index]).toBe(Math.min(limits.pays - calls, limits.answered - counted, limits.spent - amount, slots));
      }
    }),
    { numRuns: cases(100) },
  );
});

test("[one-decision-one-record] [nothing-leaves-unchecked] in any weather, every call has one final decision, which is in the required sink before the call leaves", async () => {
  await fc.assert(
    fc.asyncProperty(weather(), async (given) => {
      const { required, optional: handed, unrecorded, sent } = await storm(given);
      expect(unrecorded).toBe(0);
      // An event that a required sink could not take is handed over again, under its id.
      const optional = [...new Map(handed.map((event) => [event.id, event])).values()];
      const decisions = optional.filter((event) => event.type === "decision");
      expect(new Set(decisions.map(({ call }) => call)).size).toBe(decisions.length);
      expect(decisions).toHaveLength(given.calls.length);

      const allowed = new Set(decisions.flatMap(({ outcome, call }) => (outcome === "allow" ? [call] : [])));
      const outcomes = optional.filter((event) => event.type === "outcome");
      expect(outcomes.map(({ call }) => call).toSorted()).toEqual([...allowed].toSorted());
      const left = outcomes.filter(({ outcome }) => outcome !== "unsent");
      expect(left).toHaveLength(sent.reduce((sum, { calls }) => sum + calls, 0));

      const taken = new Set(required.flatMap((event) => (event.type === "decision" && event.outcome === "allow" ? [event.call] : [])));
      for (const { call } of left) expect(taken).toContain(call);
    }),
    { numRuns: cases(100) },
  );
});
