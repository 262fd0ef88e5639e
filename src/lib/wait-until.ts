import type { Clock } from "./clock.js";

const pollSeconds = 0.2;

/** Looks again and again; false when it is not so after the given time. */
export async function waitUntil(clock: Clock, seconds: number, isSo: () => Promise<boolean>): Promise<boolean> {
  const until = clock.now().getTime() + seconds * 1000;
  for (;;) {
    if (await isSo()) return true;
    if (clock.now().getTime() >= until) return false;
    await clock.sleep(pollSeconds);
  }
}
