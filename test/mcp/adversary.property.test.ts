import { createGuard, type PolicyDocument } from "@holdpoint/core";
import { guardTransport } from "@holdpoint/mcp";
import { InMemoryTransport } from "@modelcontextprotocol/client";
import fc from "fast-check";
import { expect, test } from "vitest";
import { settled } from "./majors.ts";

const policy: PolicyDocument = {
  version: "1",
  default: "deny",
  tools: { pay: { require: [{ path: "args.amount", op: "lte", value: 100 }] } },
};

const name = fc.constantFrom("pay", "pay ", "Pay", "delete", "__proto__", "", 7, null);
const args = fc.oneof(
  fc.record({ amount: fc.oneof(fc.constantFrom(1, 100, 101, -0, "1", null), fc.double()) }, { requiredKeys: [] }),
  fc.anything({ withDate: true, withBigInt: true, withMap: true, withNullPrototype: true, withSparseArray: true, withTypedArray: true }),
);
const params = fc.oneof(
  fc.record({ name, arguments: args }, { requiredKeys: [] }),
  fc.record({ name, arguments: args, task: fc.anything(), extra: fc.anything() }, { requiredKeys: ["name"] }),
  fc.anything(),
);
const method = fc.constantFrom(
  "tools/call",
  "tools/call",
  "tools/call",
  "tools/list",
  "ping",
  "Tools/Call",
  "tools/call ",
  undefined,
  null,
  ["tools/call"],
);
const id = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constantFrom("0", "1", null, undefined, true, {}), fc.string());
const message = fc.record({ jsonrpc: fc.constantFrom("2.0", "1.0"), id, method, params, result: fc.anything() }, { requiredKeys: [] });
const honest = fc.record({
  jsonrpc: fc.constant("2.0"),
  id: fc.nat(),
  method: fc.constant("tools/call"),
  params: fc.record({ name: fc.constant("pay"), arguments: fc.record({ amount: fc.integer({ min: 50, max: 150 }) }) }),
});
const sent = fc.oneof(honest, message, message, fc.array(fc.oneof(message, fc.array(message)), { maxLength: 4 }), fc.anything());

test("[nothing-leaves-unchecked] whatever is handed to a guarded transport, only checked calls come out", async () => {
  let admitted = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(sent, { maxLength: 6 }), async (messages) => {
      const [near, far] = InMemoryTransport.createLinkedPair();
      const wire: unknown[] = [];
      far.onmessage = (received: unknown) => {
        wire.push(received);
        const { id: asked, method: wanted } = received as { id?: unknown; method?: unknown };
        const tools = [{ name: "pay", inputSchema: { type: "object" } }];
        if (wanted === "tools/list" && asked !== undefined)
          far.send({ jsonrpc: "2.0", id: asked, result: { tools } } as never).catch(() => undefined);
      };
      await far.start();
      const transport = guardTransport(near, createGuard({ policy }).session());
      transport.onmessage = () => undefined;
      await Promise.all(messages.map((each) => transport.send(each as never).catch(() => undefined)));
      await settled();
      for (const received of wire) {
        // What a server would take for a call, also where it reads lists of lists.
        const flat = [received].flat(3) as {
          method?: unknown;
          id?: unknown;
          params?: { name?: unknown; arguments?: { amount?: unknown } };
        }[];
        for (const one of flat) {
          if (one?.method !== "tools/call") continue;
          admitted++;
          expect(received).toBe(one);
          expect(["string", "number"]).toContain(typeof one.id);
          expect(one.params?.name).toBe("pay");
          expect(one.params?.arguments?.amount).toBeTypeOf("number");
          expect(one.params?.arguments?.amount).toBeLessThanOrEqual(100);
          expect(JSON.parse(JSON.stringify(one))).toEqual(one);
        }
      }
    }),
    { numRuns: 400 },
  );
  expect(admitted).toBeGreaterThan(0);
});
