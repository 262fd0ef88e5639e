import { BerthError } from "../lib/errors.js";
import type { Workplace } from "./workplace.js";

/** Ends a command that follows something when the user is done with it. */
export function untilInterrupted(): AbortSignal {
  return interruption().signal;
}

/** The same for those who hear of it in another way too. */
export function interruption(): AbortController {
  const controller = new AbortController();
  process.once("SIGINT", () => controller.abort(new BerthError("interrupted", { what: "interrupted" })));
  return controller;
}

/**
 * Ctrl-C reaches Pulumi too, which then ends what it has begun and keeps its state in order. This process waits for
 * that; the second Ctrl-C ends both.
 */
export function leaveInterruptsToPulumi(workplace: Workplace): void {
  process.once("SIGINT", () => {
    workplace.note("   interrupted: Pulumi ends the steps that have begun; Ctrl-C again stops it at once");
    process.once("SIGINT", () => process.exit(130));
  });
}
