import { z } from "zod";

import { BerthError } from "../lib/errors.js";
import { parseConstraint } from "./version-constraint.js";

/** A constraint on versions: `0.19.0`, `0.19.x`, `>=0.10 <0.12`, `b11434`. Its grammar is in `catalog/version.ts`. */
export const versionConstraint = z
  .string({ error: "expected a string; put the version in quotes, because 0.10 without them is the number 0.1" })
  .regex(/^(?!.*\.\.)[A-Za-z0-9._+<>=!~*, -]{1,120}$/, {
    error: 'expected a version, such as "0.19.0", or a constraint, such as "0.19.x" or ">=0.10 <0.12"',
  })
  .describe('A version in quotes, or a constraint that the lock resolves to one: "0.19.0", "0.19.x", ">=0.10 <0.12"');

/** The same in a backend file, where it names no version but a range of them. */
export const versionRange = versionConstraint.superRefine((text, context) => {
  try {
    parseConstraint(text);
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    context.addIssue({ code: "custom", message: `expected ${error.parts.expected ?? ""}` });
  }
});
