// The policy and the calls that every peer is given: fifty tools, three rules on each, no regular expressions.

/** What each of the tools is held to. A tool that is not listed is denied. */
export const tools: readonly string[] = Array.from({ length: 50 }, (_, index) => `tool_${index}`);
export const most = 500;
export const currencies = ["usd", "eur", "gbp"];
export const blocked = "mallory";

/** A call as an agent makes it. Each peer turns it into its own form, and that belongs to its cost. */
export interface PeerCall {
  readonly tool: string;
  readonly arguments: { readonly amount: number; readonly currency: string; readonly recipient: string };
}

/** One engine with the policy loaded: may the call pass? */
export interface Peer {
  readonly name: string;
  readonly allows: (call: PeerCall) => boolean | Promise<boolean>;
  /** Its verdict is a promise by nature, so its turns are awaited. */
  readonly awaited?: boolean;
}

/** Calls and their verdicts: two that pass every rule, and one for each way to be refused. */
export const calls: readonly { readonly call: PeerCall; readonly allowed: boolean }[] = [
  { call: callOf("tool_7"), allowed: true },
  { call: callOf("tool_49", { amount: most, currency: "gbp" }), allowed: true },
  { call: callOf("tool_7", { amount: most + 1 }), allowed: false },
  { call: callOf("tool_7", { currency: "xau" }), allowed: false },
  { call: callOf("tool_7", { recipient: blocked }), allowed: false },
  { call: callOf("tool_50"), allowed: false },
];

export function callOf(tool: string, changed: Partial<PeerCall["arguments"]> = {}): PeerCall {
  return { tool, arguments: { amount: 5, currency: "usd", recipient: "ann", ...changed } };
}
