import type { Guard } from "@holdpoint/core";

/** Where a tool stands in the guard's policies. */
export interface ToolPlace {
  /** The server's name in `policies`. */
  readonly server?: string | undefined;
  /** The tool's own name on that server. Default: the name that LangChain knows it by. */
  readonly tool?: string | undefined;
}

export interface NameOptions {
  /** The server of every tool that `serverOf` does not place. May be left out where the guard has one policy. */
  readonly server?: string | undefined;
  /** Places a tool by the name that LangChain knows it by, such as `serverToolNames([…])`. A tool that it does not place is `server`'s, else denied. */
  readonly serverOf?: ((name: string) => ToolPlace | undefined) | undefined;
}

/**
 * Reads the names that `@langchain/mcp-adapters` makes with `prefixToolNameWithServerName`: `server__tool`, after `additionalToolNamePrefix` and `__` where
 * that is set. Names are exact: a name that begins with none of the servers is not placed. Where one server's name begins another's, the longer one counts.
 *
 * @example
 * guardTools(tools, session, { serverOf: serverToolNames(["stripe", "twilio"]) });
 */
export function serverToolNames(
  servers: readonly string[],
  options: { readonly additionalToolNamePrefix?: string | undefined } = {},
): (name: string) => ToolPlace | undefined {
  const outer = options.additionalToolNamePrefix ? `${options.additionalToolNamePrefix}__` : "";
  const longestFirst = [...servers].sort((one, other) => other.length - one.length);
  return (name) => {
    const server = longestFirst.find((each) => name.startsWith(`${outer}${each}__`));
    return server === undefined ? undefined : { server, tool: name.slice(`${outer}${server}__`.length) };
  };
}

export interface Placed {
  readonly server: string;
  readonly tool: string;
}

/** Throws `HoldpointError` (`configuration`) where the guard has several policies and nothing says which of them holds. */
export function placing(guard: Guard, { server, serverOf }: NameOptions): (name: string) => Placed {
  // Only where every tool can be placed otherwise may the server be left out: no server has the empty name, so what is not placed is denied.
  const fallback = server ?? (serverOf ? undefined : guard.serverName(undefined));
  return (name) => {
    const place = serverOf?.(name);
    return { server: place?.server ?? fallback ?? nowhere, tool: place?.tool ?? name };
  };
}

const nowhere = "";
