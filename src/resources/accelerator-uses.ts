import { findUse, type AcceleratorUse, type UseQuestion } from "../host/accelerators/use.js";
import type { Host } from "../host/host.js";

/** Looks at who uses the accelerators of one host. What was seen is shared by all resources on it. */
export class AcceleratorUses {
  readonly #host: Pick<Host, "run">;
  #last: Promise<AcceleratorUse | undefined> = Promise.resolve(undefined);

  constructor(host: Pick<Host, "run">) {
    this.#host = host;
  }

  /** What was seen last, when the process was there already; else a new look. */
  with(pid: number, question: UseQuestion): Promise<AcceleratorUse> {
    const look = this.#last.then((last) => (last?.processes.has(pid) === true ? last : findUse(this.#host, question)));
    return this.#remember(look);
  }

  /** A new look. */
  now(question: UseQuestion): Promise<AcceleratorUse> {
    return this.#remember(findUse(this.#host, question));
  }

  #remember(look: Promise<AcceleratorUse>): Promise<AcceleratorUse> {
    this.#last = look.catch(() => undefined);
    return look;
  }
}
