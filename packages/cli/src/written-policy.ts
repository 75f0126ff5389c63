import { extname } from "node:path";
import { type PolicyDocument, printable } from "@holdpoint/core";
import { Document, isMap, isScalar, type Pair, visit } from "yaml";
import { Failure } from "./failure.ts";
import { hasInvisible, jsonText, visibleYaml } from "./visible-text.ts";

/** What is said beside each tool of a written policy. */
export interface PolicyComments {
  /** At the top. */
  readonly heading: string;
  /** By the name of the tool. */
  readonly tools: ReadonlyMap<string, string>;
  /** The module of the types that a policy in TypeScript imports, and the name there. */
  readonly types?: { readonly module: string; readonly name: string } | undefined;
}

/**
 * The text of a policy for a file of this name: `.ts`, `.yaml`, or `.json`, which has no comments and says in `description` alone what it is for.
 * A person will read it over: names that a server made up are escaped, so that they hide nothing and turn no line round.
 *
 * @throws {Failure} for another kind of file, and for a policy with functions in anything but what it was written in.
 */
export function writtenPolicy(path: string, policy: PolicyDocument, comments: PolicyComments): string {
  const document: PolicyDocument = JSON.parse(JSON.stringify(policy, refuseFunctions(path)));
  switch (extname(path).toLowerCase()) {
    case ".json":
      return `${jsonText(document, 2)}\n`;
    case ".yaml":
    case ".yml":
      return yamlText(document, comments);
    case ".ts":
      return typeScriptText(document, comments);
    default:
      throw new Failure(`${path}: a policy is written as \`.ts\`, \`.yaml\` or \`.json\`, told by the ending of its name`);
  }
}

function refuseFunctions(path: string) {
  return function refuse(_key: string, value: unknown): unknown {
    if (typeof value === "function")
      throw new Failure(`${path}: the policy holds functions, which only TypeScript can: it cannot be written out`);
    return value;
  };
}

function yamlText(policy: PolicyDocument, { heading, tools }: PolicyComments): string {
  const document = new Document(policy);
  document.commentBefore = commentText(heading);
  const named = document.get("tools");
  for (const pair of isMap(named) ? (named.items as Pair[]) : []) commentOn(pair.key, tools);
  const hidden = document.get("hide") as { readonly items?: readonly unknown[] } | undefined;
  for (const name of hidden?.items ?? []) commentOn(name, tools);
  visit(document, {
    Scalar(_, scalar) {
      if (hasInvisible(String(scalar.value))) scalar.type = "QUOTE_DOUBLE";
    },
  });
  // A quoted text stays on one line: no part of a name stands where it reads like a line of the policy.
  const text = document.toString({ lineWidth: 140, flowCollectionPadding: true, doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER });
  return visibleYaml(text);
}

function commentOn(node: unknown, comments: ReadonlyMap<string, string>): void {
  const comment = isScalar(node) ? comments.get(String(node.value)) : undefined;
  if (isScalar(node) && comment !== undefined) node.commentBefore = commentText(comment);
}

function commentText(text: string): string {
  return text
    .split("\n")
    .map((line) => ` ${line}`)
    .join("\n");
}

function typeScriptText(policy: PolicyDocument, { heading, tools, types }: PolicyComments): string {
  const imports = [
    'import { definePolicy } from "@holdpoint/core";',
    ...(types ? [`import type { ${types.name} } from ${JSON.stringify(types.module)};`] : []),
  ];
  const call = types ? `definePolicy<${types.name}>()(` : "definePolicy(";
  const { tools: rules, hide, ...rest } = policy;
  const body = [
    ...Object.entries(rest).map(([key, value]) => `  ${key}: ${literal(value, 1)},\n`),
    ...(Array.isArray(hide)
      ? ["  hide: [\n", ...hide.map((entry) => commented(nameIn(entry), tools, `${literal(entry, 2)},\n`)), "  ],\n"]
      : []),
    ...(hide === "*" ? ['  hide: "*",\n'] : []),
    ...(rules
      ? [
          "  tools: {\n",
          ...Object.entries(rules).map(([name, value]) => commented(name, tools, `${propertyName(name)}: ${literal(value, 2)},\n`)),
          "  },\n",
        ]
      : []),
  ];
  return `${imports.join("\n")}\n\n${lineComments(heading, "")}export default ${call}{\n${body.join("")}});\n`;
}

function nameIn(entry: string | { readonly name: string }): string {
  return typeof entry === "string" ? entry : entry.name;
}

function commented(name: string, comments: ReadonlyMap<string, string>, text: string): string {
  return `${lineComments(comments.get(name) ?? "", "    ")}    ${text}`;
}

function lineComments(text: string, indent: string): string {
  return text === ""
    ? ""
    : text
        .split("\n")
        .map((line) => `${indent}// ${printable(line, longestComment)}\n`)
        .join("");
}

const longestComment = 10_000;

const identifier = /^[A-Za-z_$][A-Za-z0-9_$]*$/;

/** In an object literal `__proto__: …` would set the prototype; only the computed key makes a property. */
function propertyName(name: string): string {
  if (name === "__proto__") return '["__proto__"]';
  return identifier.test(name) ? name : jsonText(name);
}

/** A value as TypeScript is written by hand: short ones on one line. */
function literal(value: unknown, depth: number): string {
  if (value === null || typeof value !== "object") return jsonText(value);
  const isList = Array.isArray(value);
  const parts = isList
    ? value.map((part) => literal(part, depth + 1))
    : Object.entries(value).map(([key, part]) => `${propertyName(key)}: ${literal(part, depth + 1)}`);
  const [open, close, pad] = isList ? ["[", "]", ""] : ["{", "}", " "];
  if (parts.length === 0) return `${open}${close}`;
  const line = `${open}${pad}${parts.join(", ")}${pad}${close}`;
  if (line.length + 2 * depth <= 130 && !line.includes("\n")) return line;
  const indent = "  ".repeat(depth + 1);
  return `${open}\n${parts.map((part) => `${indent}${part},\n`).join("")}${"  ".repeat(depth)}${close}`;
}
