import { HoldpointError } from "../holdpoint-error.ts";
import { type Printed, schemaPrinter } from "./print-schema.ts";
import { commentOf, propertyName } from "./print-text.ts";

/** A tool as its server lists it. Everything in it is the server's text, and may be hostile. */
export interface PrintableTool {
  readonly name: string;
  readonly description?: string | undefined;
  readonly inputSchema?: unknown;
}

export interface PrintTypesOptions {
  /** The interface that maps tool names to argument types, `Tools` where absent. */
  readonly interfaceName?: string | undefined;
}

/**
 * Prints TypeScript for `definePolicy<Tools>()`: one named type for the arguments of each tool, and an interface from tool names to them. The same
 * tools give the same text, whatever their order.
 *
 * An object has the declared properties alone unless `additionalProperties` is `true` or a schema, since a path that nobody declared is more often a typo
 * than a wish. What TypeScript cannot say (`not`, `if`, ranges, patterns) is left out; what cannot be resolved, and what exceeds 64 KiB for one tool or
 * sixteen levels, is `unknown`.
 *
 * @throws {HoldpointError} `types_unprintable` when a name stands twice in the list, or `interfaceName` is no identifier.
 *
 * @example
 * const source = printToolTypes([{ name: "get_weather", inputSchema: { type: "object", properties: { city: { type: "string" } } } }]);
 */
export function printToolTypes(tools: readonly PrintableTool[], { interfaceName = "Tools" }: PrintTypesOptions = {}): string {
  // A capital first, which no reserved word and no type of the language has.
  if (!/^[A-Z][A-Za-z0-9_]*$/.test(interfaceName)) {
    throw new HoldpointError(
      "types_unprintable",
      `\`${interfaceName}\` is no name for an interface: start it with a capital, and use letters, digits and \`_\``,
    );
  }
  const sorted = [...tools].sort((one, other) => (one.name < other.name ? -1 : 1));
  for (const [index, { name }] of sorted.entries()) {
    if (name === sorted[index + 1]?.name)
      throw new HoldpointError("types_unprintable", `the tool \`${name}\` is listed twice: name each tool once`);
  }
  const freeName = uniqueNames(interfaceName);
  const declarations: string[] = [];
  const entries: string[] = [];
  for (const tool of sorted) {
    const typeName = freeName(`${pascalCase(tool.name)}Arguments`);
    declarations.push(...printTool(tool, typeName, freeName));
    entries.push(`  ${propertyName(tool.name)}: ${typeName};\n`);
  }
  return [...declarations, `export interface ${interfaceName} {\n${entries.join("")}}\n`].join("\n");
}

/** The arguments of one tool first, then what they refer to. */
function printTool(tool: PrintableTool, typeName: string, freeName: (wish: string) => string): string[] {
  const printer = schemaPrinter(tool.inputSchema, { rootName: typeName, nameOf: (wish) => freeName(`${typeName}${pascalCase(wish)}`) });
  const declarations: string[] = [];
  for (let next = printer.next(); next !== undefined; next = printer.next()) {
    const comment = next.name === typeName ? commentOf(tool.description, "") : "";
    declarations.push(comment + declaration(next.name, next.printed));
  }
  return declarations;
}

function declaration(name: string, { text, form }: Printed): string {
  return form === "object" ? `export interface ${name} ${text}\n` : `export type ${name} = ${text};\n`;
}

function uniqueNames(reserved: string): (wish: string) => string {
  const used = new Set([reserved]);
  return (wish) => {
    let name = wish;
    for (let count = 2; used.has(name); count++) name = `${wish}${count}`;
    used.add(name);
    return name;
  };
}

/** `create-refund` becomes `CreateRefund`. Letters beyond ASCII go, since names that look alike would not be alike. */
function pascalCase(name: string): string {
  const words = name
    .slice(0, 80)
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== "");
  const joined = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
  return /^[A-Za-z]/.test(joined) ? joined : `Tool${joined}`;
}
