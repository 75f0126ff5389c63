/**
 * The texts of policies that have many of two things, each of which could be looked at once with every one of the other: then loading costs thousands of round
 * trips.
 */
export const manyWithMany: Readonly<Record<string, string>> = {
  "rules for every tool, and tools": policy({
    all_tools: { deny_if: many(2_000, (index) => ({ path: "args.amount", op: "gt", value: index })) },
    tools: named(2_000, () => ({})),
  }),
  "recorded fields, and secret ones": policy({
    audit: { record: many(16_000, (index) => `args.field_${index}`), secret: many(16_000, (index) => `args.secret_${index}`) },
  }),
  "keys that stand twice, and lines": `{"tools": {${many(20_000, () => '"pay": {}').join(",\n")}}}`,
};

function policy(parts: object): string {
  return JSON.stringify({ version: "1", default: "deny", ...parts });
}

function many<Part>(count: number, part: (index: number) => Part): Part[] {
  return Array.from({ length: count }, (_, index) => part(index));
}

function named<Rules>(count: number, rules: () => Rules): Record<string, Rules> {
  return Object.fromEntries(many(count, (index) => [`tool_${index}`, rules()]));
}
