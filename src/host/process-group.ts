import { setTimeout as delay } from "node:timers/promises";

import { systemCode } from "../lib/errors.js";

const patienceSeconds = 5;
const pollSeconds = 0.05;

export interface GroupLimits {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutSeconds?: number | undefined;
}

/** Ends a process group, with all that its commands have started, when a signal aborts or time is up. */
export class LimitedGroup {
  readonly #leader: number | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  #timedOut = false;
  #ended: Promise<void> | undefined;

  /** @param leader undefined when the command could not be started */
  constructor(leader: number | undefined, { signal, timeoutSeconds }: GroupLimits) {
    this.#leader = leader;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#end, { once: true });
    if (timeoutSeconds === undefined) return;
    this.#timer = setTimeout(() => {
      this.#timedOut = true;
      this.#end();
    }, timeoutSeconds * 1000);
  }

  readonly #end = (): void => {
    if (this.#leader !== undefined) this.#ended ??= endProcessGroup(this.#leader);
  };

  /** To be called when the leader has ended; resolves once the rest of a group that was to end has ended too. */
  async settle(): Promise<{ timedOut: boolean }> {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#end);
    await this.#ended;
    return { timedOut: this.#timedOut };
  }
}

/** Asks all processes of a group to end, and kills what is left after some seconds. */
async function endProcessGroup(leader: number): Promise<void> {
  let left = signalGroup(leader, "SIGTERM");
  for (let waited = 0; left && waited < patienceSeconds; waited += pollSeconds) {
    await delay(pollSeconds * 1000);
    left = signalGroup(leader, 0);
  }
  if (left) signalGroup(leader, "SIGKILL");
}

/** False when no process is left that may be signalled. */
function signalGroup(leader: number, signal: "SIGTERM" | "SIGKILL" | 0): boolean {
  try {
    return process.kill(-leader, signal);
  } catch (error) {
    if (["ESRCH", "EPERM"].includes(systemCode(error) ?? "")) return false;
    throw error;
  }
}
