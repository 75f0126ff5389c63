import { jsonPointer } from "../arguments/json-pointer.ts";
import { PolicyError, type PolicyIssue } from "./policy-error.ts";

/**
 * Reads JSON text (RFC 8259) without losing anything silently: a key given twice, of which `JSON.parse` keeps the last, and an integer that a
 * JavaScript number cannot hold are errors that name the place.
 *
 * @throws {PolicyError} with every such place, or with the parser's complaint where the text is no JSON.
 */
export function parseJsonText(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new PolicyError([
      { pointer: "", message: `the text is not JSON: ${(error as Error).message}`, fix: "give JSON, without comments or trailing commas" },
    ]);
  }
  const lineOf = lineCounter(text);
  const issues = Array.from(lossesOf(text), (loss) => issueOf(loss, lineOf));
  if (issues.length > 0) throw new PolicyError(issues);
  return value;
}

/** A key that stands in its object a second time; of its values, `JSON.parse` keeps the last. */
export interface RepeatedKey {
  readonly pointer: string;
  readonly key: string;
  /** Where the second one begins in the text. */
  readonly index: number;
}

/** The keys that stand twice in a text that `JSON.parse` takes. */
export function repeatedKeys(text: string): readonly RepeatedKey[] {
  return [...lossesOf(text)].filter((loss) => "key" in loss);
}

type Loss = RepeatedKey | { readonly pointer: string; readonly integer: string };

function issueOf(loss: Loss, lineOf: (index: number) => number): PolicyIssue {
  const { pointer } = loss;
  if ("key" in loss)
    return {
      pointer,
      message: `the key \`${loss.key}\` stands here twice, again on line ${lineOf(loss.index)}`,
      fix: "keep one of the two",
    };
  return {
    pointer,
    message: `the number \`${loss.integer}\` would be read as ${Number(loss.integer)}`,
    fix: "write an integer of at most 2^53 - 1, or a string",
  };
}

interface Frame {
  /** The key or index that the next value stands under. */
  token: string | number;
  /** The keys seen so far; absent in an array. */
  readonly keys?: Set<string>;
}

/** The text has been parsed once, so tokens are all there is to look for, and every string before a colon is a key. */
function* lossesOf(text: string): Generator<Loss> {
  const frames: Frame[] = [];
  const pointer = () => jsonPointer(frames.map((frame) => frame.token));
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]+|\\.)*"(?:\s*:)?|[{}[\],]|-?[0-9][0-9.eE+-]*/g)) {
    const frame = frames.at(-1);
    if (token === "{") frames.push({ token: "", keys: new Set() });
    else if (token === "[") frames.push({ token: 0 });
    else if (token === "}" || token === "]") frames.pop();
    else if (token === ",") {
      if (typeof frame?.token === "number") frame.token++;
    } else if (token.endsWith(":")) {
      const { keys } = frame as Frame;
      const key: string = JSON.parse(token.slice(0, -1));
      (frame as Frame).token = key;
      if (keys?.has(key)) yield { pointer: pointer(), key, index };
      keys?.add(key);
    } else if (/^-?[0-9]+$/.test(token) && !Number.isSafeInteger(Number(token))) {
      yield { pointer: pointer(), integer: token };
    }
  }
}

/** Counts on from the place that was asked about before: places are asked about in the order of the text. */
function lineCounter(text: string): (index: number) => number {
  let [line, counted] = [1, 0];
  return (index) => {
    for (let end = text.indexOf("\n", counted); end !== -1 && end < index; end = text.indexOf("\n", counted)) {
      line += 1;
      counted = end + 1;
    }
    return line;
  };
}
