import { inspect } from "node:util";

import * as pulumi from "@pulumi/pulumi";

import { BerthError } from "../lib/errors.js";

/**
 * An error of the user's as Pulumi prints it: its message, which says all there is, and no stack trace.
 *
 * Pulumi also renders each uncaught error for its traces, with all that hangs on it; for one thrown while a component
 * is made that is the whole program, and takes half a minute. So the error renders itself.
 */
class ProgramError extends pulumi.RunError {
  [inspect.custom](): string {
    return this.message;
  }
}

/** What a Pulumi program throws for an error of Berth's. */
export function toProgramError(error: unknown): unknown {
  return error instanceof BerthError ? new ProgramError(`${error.message}\n(${error.code})`) : error;
}
