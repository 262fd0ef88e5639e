import type { Clock } from "../../../src/lib/clock.js";

/** A clock whose time goes on only when somebody sleeps or the test says so. */
export class FakeClock implements Clock {
  #milliseconds: number;

  constructor(start = "2026-01-01T00:00:00.000Z") {
    this.#milliseconds = Date.parse(start);
  }

  now(): Date {
    return new Date(this.#milliseconds);
  }

  async sleep(seconds: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.pass(seconds);
    // Lets timers run too, such as the one that ends a test in which somebody sleeps for ever.
    await new Promise((resolve) => setImmediate(resolve));
  }

  pass(seconds: number): void {
    this.#milliseconds += seconds * 1000;
  }
}
