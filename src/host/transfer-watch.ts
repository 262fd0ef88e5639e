/** When a download counts as broken off, and how often it is tried again. */
export interface DownloadPace {
  readonly retries: number;
  /** Before the first retry; each wait is twice as long as the one before. */
  readonly firstWaitSeconds: number;
  /** A server that sends nothing for this long counts as broken off. */
  readonly idleSeconds: number;
  /** So does one that sends less in a window: silence alone does not tell of a byte now and then. */
  readonly slowest: { readonly bytesPerSecond: number; readonly windowSeconds: number };
}

export const defaultPace: DownloadPace = {
  retries: 4,
  firstWaitSeconds: 0.5,
  idleSeconds: 30,
  slowest: { bytesPerSecond: 1024, windowSeconds: 60 },
};

/** Watches one transfer; its signal aborts, with the reason, when the transfer counts as broken off. */
export class TransferWatch {
  readonly #controller = new AbortController();
  readonly #idle: NodeJS.Timeout;
  readonly #window: NodeJS.Timeout;
  #received = 0;

  constructor({ idleSeconds, slowest }: DownloadPace) {
    const { bytesPerSecond, windowSeconds } = slowest;
    this.#idle = setTimeout(() => this.#end(`the server sent nothing for ${idleSeconds} s`), idleSeconds * 1000);
    this.#window = setInterval(() => {
      if (this.#received < bytesPerSecond * windowSeconds) {
        this.#end(`the server sent only ${this.#received} bytes in ${windowSeconds} s`);
      }
      this.#received = 0;
    }, windowSeconds * 1000);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  received(bytes: number): void {
    this.#received += bytes;
    this.#idle.refresh();
  }

  /** The transfer itself is over; what comes after it may take its time. */
  rest(): void {
    clearTimeout(this.#idle);
    clearInterval(this.#window);
  }

  /** To be called when the transfer is over; what is left of its connection ends too. */
  stop(): void {
    this.rest();
    this.#controller.abort();
  }

  #end(reason: string): void {
    this.#controller.abort(new Error(reason));
  }
}
