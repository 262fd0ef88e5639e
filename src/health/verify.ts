import type { Clock } from "../lib/clock.js";
import { formatSeconds } from "../lib/format.js";
import { isProven, reasonOf, type ProbeResult } from "./probe.js";

export interface VerifyOptions {
  /** How long the runner must answer without a failure before it counts as healthy. */
  readonly minHealthySeconds: number;
  /** How long it may take, from now, to become healthy. */
  readonly deadlineSeconds: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** One look at the health ladder. */
  readonly probe: () => Promise<ProbeResult>;
  /** Why the runner's process has ended, if it has. A runner that ended is not waited for. */
  readonly ended: () => Promise<string | undefined>;
}

export type Verdict =
  /** `answeredSeconds`: until it first answered, and went on to. */
  | { readonly healthy: true; readonly seconds: number; readonly answeredSeconds: number }
  /** `cause` tells what kind of failure it was, `reason` the last thing seen. */
  | { readonly healthy: false; readonly cause: "ended" | "deadline"; readonly reason: string };

const shortestPauseSeconds = 0.25;
const longestPauseSeconds = 2;
const steadyPauseSeconds = 1;
const leastPauseSeconds = 0.01;

/**
 * Waits until a runner is healthy by Nomad's meaning of the words: it has answered real requests for
 * `minHealthySeconds` without a failure, and began to do so early enough to be done by `deadlineSeconds`. A failure
 * in between starts the count anew; the end of its process ends the wait at once.
 */
export async function verifyHealth(options: VerifyOptions): Promise<Verdict> {
  const { clock, signal } = options;
  const begun = clock.now().getTime();
  const elapsed = () => (clock.now().getTime() - begun) / 1000;
  let healthySince: number | undefined;
  let pause = shortestPauseSeconds;
  let last = "nothing was seen yet";
  for (;;) {
    signal.throwIfAborted();
    const ended = await options.ended();
    if (ended !== undefined) return { healthy: false, cause: "ended", reason: ended };
    const result = await options.probe();
    if (isProven(result)) {
      healthySince ??= elapsed();
      const missing = options.minHealthySeconds - (elapsed() - healthySince);
      if (missing <= 0 && elapsed() <= options.deadlineSeconds)
        return { healthy: true, seconds: elapsed(), answeredSeconds: healthySince };
      pause = Math.max(leastPauseSeconds, Math.min(steadyPauseSeconds, missing));
    } else {
      healthySince = undefined;
      last = reasonOf(result);
      pause = Math.min(longestPauseSeconds, Math.max(shortestPauseSeconds, pause) * 1.3);
    }
    if (elapsed() + pause > options.deadlineSeconds) {
      const reason = healthySince === undefined ? last : `it answered only after ${formatSeconds(healthySince)}`;
      return { healthy: false, cause: "deadline", reason };
    }
    await clock.sleep(pause, signal);
  }
}
