import type { Json, JsonObject } from "../arguments/json-snapshot.ts";

const longestText = 1_000;
const mostMembers = 1_000;

/**
 * Text of a model or a server as an event tells it: the first 1,000 characters, and how many more there were.
 *
 * INVARIANT (every-event-fits): an event that a required sink cannot take is owed to it, and nothing leaves until it is taken. So nobody outside may make
 * one that no sink can hold.
 */
export function clipped(text: string, longest: number = longestText): string {
  return text.length <= longest ? text : `${text.slice(0, longest).toWellFormed()}… (${text.length - longest} more)`;
}

/** The texts of an event, and of its lists, clipped; a list tells its first 1,000 members, and how many more there were. */
export function clippedTexts<Event extends object>(event: Event): Event {
  const entries = Object.entries(event).map(([key, value]) => [
    key,
    typeof value === "string" ? clipped(value) : Array.isArray(value) ? clippedList(value) : value,
  ]);
  return Object.fromEntries(entries) as Event;
}

function clippedList(list: readonly unknown[]): readonly unknown[] {
  const told = list.slice(0, mostMembers).map((member) => (typeof member === "string" ? clipped(member) : member));
  return list.length <= mostMembers ? told : [...told, `… (${list.length - mostMembers} more)`];
}

const mostRecorded = 4 * 1024 * 1024;

/** Whether the values that a policy records fit into an event: 4 Mi characters of JSON. */
export function fits(recorded: JsonObject | undefined): boolean {
  return recorded === undefined || JSON.stringify(recorded satisfies Json).length <= mostRecorded;
}
