import pLimit from "p-limit";

/** Runs actions that share a key one after the other, in the order of the calls, and others beside them. */
export class Serial {
  readonly #limits = new Map<string, ReturnType<typeof pLimit>>();

  run<T>(key: string, action: () => Promise<T>): Promise<T> {
    let limit = this.#limits.get(key);
    if (limit === undefined) {
      limit = pLimit(1);
      this.#limits.set(key, limit);
    }
    return limit(action);
  }
}
