import type { PointerToken } from "../arguments/json-pointer.ts";

/** Files an issue at a place of a policy. */
export type Report = (at: readonly PointerToken[], message: string, fix: string) => void;

/** Whether the shape of what stands at a place, and of all within it, is right: only then is its meaning looked at. */
export type IsSound = (at: readonly PointerToken[]) => boolean;

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
