import { printable } from "@holdpoint/core";
import { type Choice, policyFrom, policyTestFrom } from "./chosen-policy.ts";
import { typesOf } from "./commands/types.ts";
import type { ListedServer } from "./live-server.ts";
import type { ConfiguredServer } from "./mcp-configs.ts";
import { reasonFor, type ScannedTool } from "./recommended-policy.ts";
import { writtenPolicy } from "./written-policy.ts";

/** A file that is to be written, unless the person keeps what is there. */
export interface PlannedFile {
  readonly path: string;
  readonly content: string;
  /** What the file is about: where another version of that one stays, this one would not go with it. */
  readonly about?: string;
}

/** The policy of a server, its types and its test. `base` is their path without an ending. */
export function filesFor(
  base: string,
  name: string,
  listed: ListedServer,
  tools: readonly ScannedTool[],
  choices: ReadonlyMap<string, Choice>,
  format: "ts" | "yaml" | "json",
): readonly PlannedFile[] {
  const policy = policyFrom(`What the agent may do with ${printable(name)}`, choices);
  const file = base.split(/[/\\]/).at(-1) ?? name;
  const comments = {
    heading: `The tools of ${printable(listed.server ?? name)}${listed.version === undefined ? "" : ` ${printable(listed.version)}`}, with what each was found to do.`,
    tools: new Map(tools.map((tool) => [tool.name, reasonFor(tool.risk)])),
    ...(format === "ts" && { types: { module: `./${file}.types.ts`, name: "Tools" } }),
  };
  const path = `${base}.${format}`;
  return [
    { path, content: writtenPolicy(path, policy, comments) },
    { path: `${base}.types.ts`, content: typesOf(listed.tools, "Tools", name) },
    { path: `${base}.test.ts`, content: policyTestFrom(`${file}.${format}`, choices), about: path },
  ];
}

/** A name that is safe as a file's; servers of one name in two files get two. */
export function fileNames(servers: readonly ConfiguredServer[]): ReadonlyMap<ConfiguredServer, string> {
  const taken = new Map<string, number>();
  return new Map(
    servers.map((server) => {
      const base =
        server.name
          .toLowerCase()
          .replace(/[^a-z0-9_-]+/g, "-")
          .replace(/^-+|-+$/g, "") || "server";
      const count = (taken.get(base) ?? 0) + 1;
      taken.set(base, count);
      return [server, count === 1 ? base : `${base}-${count}`] as const;
    }),
  );
}
