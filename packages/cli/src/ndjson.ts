/**
 * The lines of a stream of UTF-8 text, without their ends, as they arrive. Only a line feed ends a line (a carriage return before it is white space to JSON):
 * JSON texts may hold other line separators, such as U+2028, unescaped.
 */
export async function* readLines(stream: NodeJS.ReadableStream): AsyncGenerator<string> {
  stream.setEncoding("utf8");
  let rest = "";
  let first = true;
  for await (const chunk of stream as AsyncIterable<string>) {
    const text = first ? chunk.replace(/^\uFEFF/, "") : chunk;
    first = false;
    // The piece that does not end yet is searched once, however many chunks it comes in.
    const lastEnd = text.lastIndexOf("\n");
    if (lastEnd === -1) {
      rest += text;
      continue;
    }
    yield* (rest + text.slice(0, lastEnd)).split("\n");
    rest = text.slice(lastEnd + 1);
  }
  if (rest !== "") yield rest;
}
