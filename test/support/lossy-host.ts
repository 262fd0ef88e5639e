import type { Host } from "../../src/host/host.js";
import { BerthError } from "../../src/lib/errors.js";

/** What a network loses: what was asked for, so that it is not done, or the answer, so that it is. */
export type Loss = "request" | "answer";

export interface Fault {
  /** Which call it is that fails, from 1 on. */
  readonly call: number;
  readonly loss: Loss;
  /** Whether all calls after it fail too. */
  readonly lasts: boolean;
}

/** A host's operations, one of which gets lost at a certain time. */
export class LossyHost {
  readonly host: Host;
  #fault: Fault | undefined;
  #calls = 0;

  constructor(real: Host) {
    this.host = new Proxy(real, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...words: unknown[]) => this.#call(() => Reflect.apply(value, target, words) as Promise<unknown>);
      },
    });
  }

  /** Does an action with a fault; returns whether it came to that. */
  async during(fault: Fault, action: () => Promise<void>): Promise<boolean> {
    this.#calls = 0;
    this.#fault = fault;
    try {
      await action();
    } finally {
      this.#fault = undefined;
    }
    return this.#calls >= fault.call;
  }

  async #call(action: () => Promise<unknown>): Promise<unknown> {
    this.#calls += 1;
    const fault = this.#fault;
    const isLost = fault !== undefined && this.#calls === fault.call;
    const isDown = fault?.lasts === true && this.#calls > fault.call;
    if (isDown || (isLost && fault.loss === "request")) throw unreachable();
    const result = await action();
    if (isLost) throw unreachable();
    return result;
  }
}

function unreachable(): BerthError {
  return new BerthError("host-unreachable", { what: "the connection was lost before the host told how it ended" });
}
