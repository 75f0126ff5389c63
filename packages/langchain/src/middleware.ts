import { type Guard, guardOf, HoldpointError, printable, type Session } from "@holdpoint/core";
import { AIMessage, ToolMessage } from "@langchain/core/messages";
import { interopSafeParseAsync, isInteropZodSchema } from "@langchain/core/utils/types";
import { guardTool, placeOf, renamingOf } from "./guard-tools.ts";
import { type HostContext, isObject, isProviderTool, isStructuredTool, type ToolCallLike } from "./langchain-shapes.ts";
import { refusalMessage } from "./refusal-message.ts";
import { answerRefusal, createSeat, type GuardOptions, type Renaming, type Seat, type SeatCall } from "./seat.ts";
import { endsTheRun, withWordedErrors, wordedError } from "./tool-error.ts";
import type { ToolPlace } from "./tool-names.ts";

export interface ToolRequest {
  readonly toolCall: ToolCallLike;
  readonly tool?: unknown;
  readonly runtime?: HostContext | undefined;
}

/** A middleware for `createAgent`. */
export interface HoldpointMiddleware {
  readonly name: string;
  afterModel(state: { readonly messages: readonly unknown[] }, runtime: HostContext): Promise<void>;
  wrapModelCall<Request extends object, Response>(request: Request, handler: (request: Request) => Response): Response;
  wrapToolCall<Request extends ToolRequest, Result>(
    request: Request,
    handler: (request: Request) => Result | Promise<Result>,
  ): Promise<Result>;
}

export interface MiddlewareOptions extends GuardOptions {
  /** `allow` lets the model have tools that its provider runs, which no guard sees being called. Default `refuse`: the run ends with an error that names them. */
  readonly providerTools?: "refuse" | "allow" | undefined;
}

const seats = new WeakMap<object, Seat>();

/**
 * The guard as a middleware of `createAgent`. Put it **last**: a middleware after it could change a call that has been checked.
 *
 * Hidden tools are not offered to the model, and each call is decided when its tool is about to run, with the arguments that the tool's schema has made of
 * the model's. Where the policy asks for approval and the agent has a checkpointer, the graph is interrupted with the request of LangChain's human-in-the-loop
 * middleware. A refusal is a `ToolMessage` with `status: "error"`. Errors of tools stay messages to the model, as they are where an agent has no middleware
 * around its tools, without stack traces.
 *
 * @example
 * const agent = createAgent({ model, tools, middleware: [holdpointMiddleware(guard.session({ user: "ann" }))] });
 */
export function holdpointMiddleware(session: Session, options: MiddlewareOptions = {}): HoldpointMiddleware {
  const seat = createSeat(session, options.server || options.serverOf ? options : { ...options, serverOf: placesOf(guardOf(session)) });
  /** The agent's tools by name, as the model was last offered them: a person may put one of them in another's place. */
  const offered = new Map<string, unknown>();

  async function runTool<Request extends ToolRequest, Result>(
    request: Request,
    handler: (request: Request) => Result | Promise<Result>,
  ): Promise<Result> {
    const { toolCall, tool } = request;
    const call = { name: toolCall.name, args: toolCall.args, id: toolCall.id, host: request.runtime ?? {}, at: placeOf(tool, seat.guard) };
    const refused = await seat.refusedByName(call);
    if (refused) return answerRefusal(seat.guard, refused, (refusal) => refusalMessage(refusal, toolCall) as Result);
    if (tool === undefined || tool === null) return unknownTool(call);
    if (!isStructuredTool(tool)) return whole(request, call, handler);
    const result = await handler({ ...request, tool: withWordedErrors(guardTool(tool, seat, call.at), request.runtime?.signal) });
    const renamed = renamingOf(result);
    if (!renamed) return result;
    return runOther(request, renamed, handler);
  }

  function runOther<Request extends ToolRequest, Result>(
    request: Request,
    { name, args }: Renaming,
    handler: (request: Request) => Result | Promise<Result>,
  ): Promise<Result> {
    const other = { ...request, toolCall: { ...request.toolCall, name, args }, tool: offered.get(name) };
    if (other.tool !== undefined) return runTool(other, handler);
    return whole(other, { name, args, id: request.toolCall.id, host: request.runtime ?? {} }, handler);
  }

  /** Decides about a call as the model or a person wrote it, before LangChain finds the tool or reads the arguments. */
  async function whole<Request extends ToolRequest, Result>(
    request: Request,
    call: SeatCall,
    handler: (request: Request) => Result | Promise<Result>,
  ): Promise<Result> {
    const passed = await seat.pass(call, async (admission) => {
      const toolCall = { ...request.toolCall, args: structuredClone(admission.arguments) };
      const value = await handler({ ...request, toolCall });
      return { value, outcome: { kind: ToolMessage.isInstance(value) && value.status === "error" ? "tool_error" : "success" } };
    });
    if (passed.outcome === "made") return passed.value;
    if (passed.outcome === "deny") return answerRefusal(seat.guard, passed, (refusal) => refusalMessage(refusal, call) as Result);
    return runOther(request, passed, handler);
  }

  /** LangChain would name every tool of the agent, those that are hidden too. */
  async function unknownTool<Result>(call: SeatCall): Promise<Result> {
    const name = printable(call.name);
    const message = `Tool \`${name}\` is not available.`;
    const refusal = await seat.refuse(call, {
      rule: "(unknown tool)",
      code: "definition_unknown",
      message,
      detail: `the agent has no tool \`${name}\``,
    });
    return answerRefusal(seat.guard, refusal, () => refusalMessage(refusal, call) as Result);
  }

  const middleware: HoldpointMiddleware = {
    name: "HoldpointMiddleware",
    async afterModel(state, runtime) {
      const last = state.messages.findLast((message) => AIMessage.isInstance(message));
      const calls = last?.tool_calls ?? [];
      const read = await Promise.all(
        calls.map(async ({ name, args, id }) => ({
          name,
          args: await parsedArguments(offered.get(name), args),
          id,
          host: runtime,
          at: placeOf(offered.get(name), seat.guard),
        })),
      );
      if (read.length > 0) await seat.askTogether(read, runtime);
    },
    wrapModelCall(request, handler) {
      const { tools } = request as { readonly tools?: unknown };
      if (!Array.isArray(tools)) return handler(request);
      if (options.providerTools !== "allow") refuseProviderTools(tools);
      for (const tool of tools) if (isObject(tool) && typeof tool["name"] === "string") offered.set(tool["name"], tool);
      const shown = tools.filter(
        (tool) => !isObject(tool) || typeof tool["name"] !== "string" || seat.shows(tool["name"], placeOf(tool, seat.guard)),
      );
      return handler(shown.length === tools.length ? request : { ...request, tools: shown });
    },
    async wrapToolCall(request, handler) {
      try {
        return await runTool(request, handler);
      } catch (error) {
        throw endsTheRun(error, request.runtime?.signal) ? error : wordedError(error);
      }
    },
  };
  seats.set(middleware, seat);
  return middleware;
}

/** Where a guard has several policies, and nothing says whose an unguarded tool is, it is nobody's, and denied. */
function placesOf(guard: Guard): (name: string) => ToolPlace {
  let server: string | undefined;
  try {
    server = guard.serverName(undefined);
  } catch {}
  return () => ({ server });
}

/** The arguments as the tool's schema makes them, which is how they are judged when the tool runs. What does not fit the schema never comes that far. */
async function parsedArguments(tool: unknown, args: unknown): Promise<unknown> {
  const schema = isObject(tool) ? tool["schema"] : undefined;
  if (!isInteropZodSchema(schema)) return args;
  const parsed = await interopSafeParseAsync(schema, args);
  if (!parsed.success) return args;
  return isObject(parsed.data) ? parsed.data : { input: parsed.data };
}

/** The seat of a middleware that `holdpointMiddleware` made. */
export function seatOf(middleware: unknown): Seat | undefined {
  return isObject(middleware) ? seats.get(middleware) : undefined;
}

function refuseProviderTools(tools: readonly unknown[]): void {
  const names = tools
    .filter(isProviderTool)
    .map((tool) => `\`${String((tool as { name?: unknown; type?: unknown }).name ?? (tool as { type?: unknown }).type)}\``);
  if (names.length === 0) return;
  const problem = `${names.join(", ")}: run by the model's provider, where no call can be held: leave them out, or say \`providerTools: "allow"\``;
  throw new HoldpointError("configuration", problem);
}
