import { formatPath, type Path } from "../conditions/path.ts";

/** Whether every value that the inner path finds is one of the outer path's values, or lies within one. */
export function covers(outer: Path, inner: Path): boolean {
  return (
    outer.root === inner.root &&
    outer.steps.length <= inner.steps.length &&
    outer.steps.every((step, index) => {
      const other = inner.steps[index];
      if (step.kind === "elements") return other?.kind === "elements" || other?.kind === "index";
      if (step.kind === "name") return other?.kind === "name" && other.name === step.name;
      return other?.kind === "index" && other.index === step.index;
    })
  );
}

/** The paths to what both lists name: of two paths of which one covers the other, the inner one. */
export function intersectPaths(one: readonly Path[], other: readonly Path[]): readonly Path[] {
  const shared = new Map<string, Path>();
  for (const left of one) {
    for (const right of other) {
      const inner = covers(left, right) ? right : covers(right, left) ? left : undefined;
      if (inner !== undefined) shared.set(formatPath(inner), inner);
    }
  }
  return [...shared.values()];
}
