import type { Workplace } from "../workplace.js";

/**
 * What verbs are called with. What a verb does is loaded when it is called, and not before: all of it together takes
 * half a second.
 */
export interface Caller {
  /** The project that the command was called in. */
  readonly here: () => Workplace;
  /** A folder that need not be one of a project. */
  readonly at: (root: string) => Workplace;
  /** What stands after `--`, for Pulumi. */
  readonly passed: readonly string[];
}
