import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, Scalar, type YAMLError } from "yaml";
import { jsonPointer } from "../arguments/json-pointer.ts";
import { type ImportLog, type Locate, openLog } from "./import-log.ts";

/** How large a policy text may be, once aliases are followed. A policy is written by hand; what is larger is a mistake or an attack. */
const bounds = { characters: 1_048_576, nodes: 100_000, depth: 64 };

export interface YamlText {
  readonly value: unknown;
  /** Finds the line and column of a key or value by its JSON Pointer. */
  readonly locate: Locate;
}

/**
 * Reads one YAML 1.2 document as plain JSON. What YAML readers do not agree on is refused rather than guessed: duplicate keys, several documents,
 * tags, merge keys, keys that are no text, and unquoted values that are a number or date for one reader and text for another.
 *
 * @throws {ImportError} with line and column of everything that could not be read.
 */
export function readYaml(text: string): YamlText {
  const lines = new LineCounter();
  const offsets = new Map<string, { key: number; value: number }>();
  const locate: Locate = (pointer, part) => position(lines, offsets.get(pointer)?.[part]);
  const log = openLog("YAML", locate);

  const document = compose(text, lines, offsets, log);
  const value = document?.contents ? nodeReader(offsets, log)(document.contents, "", 0) : null;
  log.close();
  return { value, locate };
}

function position(lines: LineCounter, offset: number | undefined) {
  if (offset === undefined) return undefined;
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

function compose(text: string, lines: LineCounter, offsets: Map<string, { key: number; value: number }>, log: ImportLog) {
  const refuse = (offset: number, message: string, fix: string) => {
    offsets.set("", { key: offset, value: offset });
    log.issue("", message, fix);
  };
  if (text.length > bounds.characters) {
    lines.addNewLine(0);
    refuse(0, "the text is longer than 1 MiB", "import a smaller policy");
    return undefined;
  }
  try {
    const document = parseDocument(text, { version: "1.2", schema: "core", uniqueKeys: false, prettyErrors: false, lineCounter: lines });
    for (const problem of [...document.errors, ...document.warnings].slice(0, 10))
      refuse(problem.pos[0], sentence(problem), fixes[problem.code] ?? "mend the YAML here");
    if (document.directives.yaml.explicit) refuse(0, "a `%YAML` directive changes how values are read", "remove it");
    return document.errors.length + document.warnings.length > 0 ? undefined : document;
  } catch (error) {
    refuse(0, `the YAML cannot be read: ${error instanceof RangeError ? "it nests too deeply" : String(error)}`, "import a simpler policy");
    return undefined;
  }
}

const fixes: Partial<Record<YAMLError["code"], string>> = {
  MULTIPLE_DOCS: "keep one document in a file",
  TAB_AS_INDENT: "indent with spaces",
  TAG_RESOLVE_FAILED: "remove the tag",
};

function sentence({ message, code }: YAMLError): string {
  if (code === "MULTIPLE_DOCS") return "the text holds several YAML documents";
  return message.charAt(0).toLowerCase() + message.slice(1);
}

/** Turns composed nodes into plain JSON, noting where each stood. Aliases count for what they stand for, so that a small text cannot become a huge policy. */
function nodeReader(offsets: Map<string, { key: number; value: number }>, log: ImportLog) {
  const anchors = new Map<string, Node>();
  const open = new Set<Node>();
  let nodes = 0;

  function read(node: unknown, pointer: string, depth: number, key?: number): unknown {
    const offset = (node as Node | null)?.range?.[0] ?? key ?? 0;
    offsets.set(pointer, { key: key ?? offset, value: offset });
    if (nodes > bounds.nodes) return null;
    nodes += 1;
    if (depth > bounds.depth || nodes > bounds.nodes) {
      const excess = depth > bounds.depth ? `is nested more than ${bounds.depth} levels deep` : `holds more than ${bounds.nodes} values`;
      log.issue(pointer, `the document ${excess}, aliases included`, "import a smaller policy");
      return null;
    }

    const target = isAlias(node) ? anchored(node.source, pointer) : (node as Node | null);
    if (!target) return null;
    if (!isAlias(node)) rememberAnchor(target, pointer);
    if (target.tag !== undefined) log.issue(pointer, `the tag \`${target.tag}\` is not read`, "remove the tag");
    if (isScalar(target)) return readScalar(target, pointer, log);

    open.add(target);
    const value = isSeq(target)
      ? target.items.map((item, index) => read(item, `${pointer}/${index}`, depth + 1))
      : readMap(target, pointer, depth);
    open.delete(target);
    return value;
  }

  function anchored(name: string, pointer: string): Node | undefined {
    const target = anchors.get(name);
    if (!target) log.issue(pointer, `no anchor \`&${name}\` stands before this alias`, "write the value out");
    else if (open.has(target)) log.issue(pointer, "this alias stands inside what it stands for", "write the value out");
    else return target;
    return undefined;
  }

  function rememberAnchor(node: Node, pointer: string): void {
    const name = (node as { anchor?: string }).anchor;
    if (name === undefined) return;
    const known = anchors.get(name);
    if (known && known !== node) log.issue(pointer, `the anchor \`&${name}\` is set twice`, "give each anchor its own name");
    anchors.set(name, node);
  }

  function readMap(map: Node, pointer: string, depth: number): Record<string, unknown> {
    const entries = new Map<string, unknown>();
    for (const pair of isMap(map) ? map.items : []) {
      const at = (pair.key as Node | null)?.range?.[0] ?? 0;
      const name = isScalar(pair.key) ? pair.key.value : undefined;
      const place = pointer + jsonPointer([name === undefined ? "?" : String(name)]);
      const fault = faultOfKey(pair.key, entries);
      if (!fault) {
        entries.set(name as string, read(pair.value, place, depth + 1, at));
        continue;
      }
      offsets.set(place, { key: at, value: at });
      log.issue(place, ...fault);
    }
    return Object.fromEntries(entries);
  }

  return read;
}

function faultOfKey(key: unknown, taken: ReadonlyMap<string, unknown>): [message: string, fix: string] | undefined {
  if (!isScalar(key) || typeof key.value !== "string") return ["a key must be text", "put the key in quotes"];
  if (key.value === "<<" && key.type === Scalar.PLAIN) return ["merge keys are not read", "write the keys out"];
  if (taken.has(key.value)) return [`the key \`${key.value}\` stands here twice`, "keep one of the two"];
  return undefined;
}

/** Leading zeros, digit groups, other bases and dates: Intercept's reader, YAML 1.1 and YAML 1.2 read these as different values. */
const ambiguous =
  /^[-+]?0[0-9_]+$|^[-+]?[0-9][0-9.eE+-]*_[0-9_.eE+-]*$|^[-+]?0[bBoOxX][0-9a-fA-F_]+$|^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?$/;

function readScalar(scalar: Scalar, pointer: string, log: ImportLog): unknown {
  const plain = scalar.type === Scalar.PLAIN ? (scalar.source ?? "") : "";
  if (ambiguous.test(plain)) {
    log.issue(
      pointer,
      `\`${plain}\` is read differently by different YAML readers`,
      "put text in quotes, and write numbers in plain decimal",
    );
  } else if (typeof scalar.value === "number" && !isExact(scalar.value)) {
    log.issue(pointer, `\`${plain}\` is not a number that can be kept exactly`, "use a whole number below 2^53, or a decimal fraction");
  }
  return scalar.value;
}

function isExact(value: number): boolean {
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
}
