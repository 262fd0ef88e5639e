import { isDeepStrictEqual } from "node:util";

/** A piece of work that needs one state, and leaves another, or one that is not known. */
export interface Link<State> {
  readonly from: State;
  readonly to: State | undefined;
}

/**
 * The same links in an order in which most begin where the one before ended. Those that end where they began come before
 * those that lead on; where none begins, the state is next from which most begin.
 */
export function chain<State, Case extends Link<State>>(cases: readonly Case[]): Case[] {
  const left = [...cases];
  const ordered: Case[] = [];
  while (left.length > 0) {
    const present = ordered.at(-1)?.to;
    const next =
      left.find(({ from, to }) => isDeepStrictEqual(from, present) && isDeepStrictEqual(to, present)) ??
      left.find(({ from }) => isDeepStrictEqual(from, present)) ??
      mostCommonStart(left);
    if (next === undefined) break;
    left.splice(left.indexOf(next), 1);
    ordered.push(next);
  }
  return ordered;
}

function mostCommonStart<State, Case extends Link<State>>(cases: readonly Case[]): Case | undefined {
  const starts = (state: State) => cases.filter(({ from }) => isDeepStrictEqual(from, state)).length;
  return [...cases].sort((a, b) => starts(b.from) - starts(a.from))[0];
}
