import { setTimeout as delay } from "node:timers/promises";

/** Time as an argument, so that tests of waiting take milliseconds. */
export interface Clock {
  now(): Date;
  /** Rejects with the signal's reason when the signal aborts. */
  sleep(seconds: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => new Date(),
  async sleep(seconds, signal) {
    try {
      await delay(seconds * 1000, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : error;
    }
  },
};
