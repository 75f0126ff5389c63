/** What a tool does to the world, in the catalogue's five categories. */
export type Category = "read" | "write" | "execute" | "destructive" | "financial";
export type Level = "low" | "medium" | "high" | "critical";

export const levelOf: Readonly<Record<Category, Level>> = {
  read: "low",
  write: "medium",
  execute: "high",
  destructive: "critical",
  financial: "critical",
};

const severity: Readonly<Record<Category, number>> = { read: 0, write: 1, execute: 2, destructive: 3, financial: 3 };

/** The graver of two categories; the first where both are critical. */
export function graver(one: Category, other: Category): Category {
  return severity[other] > severity[one] ? other : one;
}

export function isGraver(one: Category, other: Category): boolean {
  return severity[one] > severity[other];
}
