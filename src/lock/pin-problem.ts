import type { Catalogue } from "../catalog/catalogue.js";
import type { DraftEngine } from "../catalog/release.js";
import type { LockedEngine, LockedInstall } from "../schema/lock.js";
import type { StackFile } from "../schema/stack.js";

export interface PinProblem {
  readonly catalogue: Catalogue;
  readonly mirrors: StackFile["mirrors"];
  /** What was locked before, of all deployments and of what is preloaded: a backend version is the same in each. */
  readonly previous: Readonly<Record<string, LockedEngine>>;
  /** SHA-256 of the files that were resolved before and are there, by their path below `stacks`. */
  readonly resolved: Readonly<Record<string, string>>;
}

export interface Pinned {
  readonly install: LockedInstall;
  /** A text file to be written below `stacks`. */
  readonly file?: { readonly path: string; readonly text: string };
  /** What is odd but allowed, one sentence each. */
  readonly warnings: readonly string[];
}

/** The backend versions of a lock, always in the same order. */
export function locked(engines: PinProblem["previous"]): LockedEngine[] {
  return Object.entries(engines)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([, engine]) => engine);
}

/** What is pinned, for errors. */
export function subjectOf({ backend, release: { backendVersion } }: DraftEngine): string {
  return `${backend.name} ${backendVersion}`;
}
