import { type Atom, atomsOf, type Formula, type Truth, truthOf } from "./atoms.ts";
import { classesOf, isSeen, type Stage, type Value, type ValueClass } from "./classes.ts";

/** One way in which a call can look to a set of formulas. */
export interface State {
  readonly truthOf: (formula: Formula) => Truth;
  /** A value for each path, where one is known for every class; `undefined` where the state may stand for no call. */
  readonly values: () => ReadonlyMap<string, Value> | undefined;
}

/** Every way in which a call can look to the formulas, and perhaps more: what holds in all of them holds for every call. */
export interface Space {
  readonly size: number;
  readonly states: () => Iterable<State>;
}

/** With more states than this, nothing is said. */
const mostStates = 200_000;

/** `undefined` where there are too many states to look through. */
export function spaceOf(formulas: readonly Formula[], stage: Stage): Space | undefined {
  const atoms = new Map(formulas.flatMap(atomsOf).map((atom) => [atom.key, atom]));
  const axes = axesOf([...atoms.values()], stage);
  if (axes === undefined) return undefined;
  const size = axes.reduce((product, { classes }) => product * classes.length, 1);
  return size > mostStates ? undefined : { size, states: () => product(axes) };
}

interface Axis {
  /** Absent for an atom that nothing is known of. */
  readonly path: string | undefined;
  readonly classes: readonly ValueClass[];
}

/** Atoms of one path vary together; an atom that the analysis cannot see through varies by itself. */
function axesOf(atoms: readonly Atom[], stage: Stage): readonly Axis[] | undefined {
  const byPath = Map.groupBy(atoms, (atom) => (isSeen(atom) ? atom.path : undefined));
  const axes: Axis[] = (byPath.get(undefined) ?? []).map(({ key }) => ({
    path: undefined,
    classes: ([true, false, "unknown"] as const).map((truth) => ({ truths: new Map([[key, truth]]) })),
  }));
  for (const [path, group] of byPath) {
    if (path === undefined) continue;
    const classes = classesOf(path, group, stage);
    if (classes === undefined) return undefined;
    axes.push({ path, classes });
  }
  return axes;
}

function* product(axes: readonly Axis[]): Generator<State> {
  const chosen = axes.map(() => 0);
  for (;;) {
    yield stateOf(
      axes,
      axes.map(({ classes }, axis) => classes[chosen[axis] ?? 0] as ValueClass),
    );
    // Counts up, with one digit for each axis.
    const next = chosen.findIndex((index, axis) => index + 1 < (axes[axis]?.classes.length ?? 0));
    if (next === -1) return;
    chosen.fill(0, 0, next);
    chosen[next] = (chosen[next] ?? 0) + 1;
  }
}

function stateOf(axes: readonly Axis[], classes: readonly ValueClass[]): State {
  const truthOfAtom = ({ key }: Atom): Truth => {
    for (const { truths } of classes) {
      const truth = truths.get(key);
      if (truth !== undefined) return truth;
    }
    throw new Error("every atom lies on an axis");
  };
  return {
    truthOf: (formula) => truthOf(formula, truthOfAtom),
    values() {
      if (classes.some(({ sample }, index) => sample === undefined && axes[index]?.path !== undefined)) return undefined;
      return new Map(axes.flatMap(({ path }, index) => (path === undefined ? [] : [[path, classes[index]?.sample as Value] as const])));
    },
  };
}
