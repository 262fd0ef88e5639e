import { setMaxListeners } from "node:events";

/** Waits for an action no longer than so many seconds; then its signal aborts, and the result is that error. */
export async function withinSeconds<T>(
  seconds: number,
  action: (signal: AbortSignal) => Promise<T>,
  late = new Error(`no answer within ${seconds} s`),
): Promise<T> {
  const ended = new AbortController();
  // Every command that runs at once listens to it.
  setMaxListeners(0, ended.signal);
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(late);
      ended.abort(late);
    }, seconds * 1000);
  });
  try {
    return await Promise.race([action(ended.signal), deadline]);
  } finally {
    clearTimeout(timer);
  }
}
