import pLimit from "p-limit";

export interface BatchOptions {
  /** Most that are done at once. */
  readonly atOnce: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Does something for each item, for some of them at once. Once one fails, no other begins, those that run are told by
 * their signal to stop, and are waited for.
 *
 * @throws what the first of them failed with, or the signal's reason
 */
export async function runBatch<Item>(
  items: readonly Item[],
  { atOnce, signal }: BatchOptions,
  act: (item: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const limit = pLimit(atOnce);
  const failed = new AbortController();
  const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const actUnlessOver = async (item: Item): Promise<void> => {
    if (either.aborted) return;
    try {
      await act(item, either);
    } catch (error) {
      failed.abort(error);
    }
  };
  await Promise.all(items.map((item) => limit(() => actUnlessOver(item))));
  either.throwIfAborted();
}
