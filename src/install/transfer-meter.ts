import type { Clock } from "../lib/clock.js";
import type { DownloadOptions } from "../host/host.js";

type OnProgress = NonNullable<DownloadOptions["onProgress"]>;

/** Less than this tells more of the time until the first byte than of the line. */
const leastBytes = 4 * 2 ** 20;

/** What came over the network, and the time from the first request to the last byte; what comes at once counts once. */
export class TransferMeter {
  readonly #clock: Pick<Clock, "now">;
  #begunAt: number | undefined;
  #lastAt = 0;
  #bytes = 0;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /**
   * Watches the progress of one file, or of several after each other, each from its own beginning. What is there when it
   * begins to come was there before: a download that goes on where it broke off.
   */
  watch(onProgress: OnProgress): OnProgress {
    this.#begunAt ??= this.#clock.now().getTime();
    let before: number | undefined;
    return (current, total) => {
      const came = Math.max(0, current - (before ?? current));
      // An engine tells of layers that it unpacks too.
      if (came > 0) this.#lastAt = this.#clock.now().getTime();
      this.#bytes += came;
      before = current;
      onProgress(current, total);
    };
  }

  /** Undefined where too little came to tell anything. */
  get sample(): { readonly bytes: number; readonly seconds: number } | undefined {
    const seconds = (this.#lastAt - (this.#begunAt ?? 0)) / 1000;
    return this.#bytes < leastBytes || seconds <= 0 ? undefined : { bytes: this.#bytes, seconds };
  }
}
