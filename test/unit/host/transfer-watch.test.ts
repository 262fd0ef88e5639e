import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { defaultPace, TransferWatch } from "../../../src/host/transfer-watch.js";

describe("TransferWatch", () => {
  let watch: TransferWatch;

  beforeEach(() => {
    vi.useFakeTimers();
    watch = new TransferWatch(defaultPace);
  });
  afterEach(() => {
    watch.stop();
    vi.useRealTimers();
  });

  /** So many bytes every 10 s. */
  function pass(seconds: number, bytes: number): void {
    for (let passed = 0; passed < seconds; passed += 10) {
      vi.advanceTimersByTime(10_000);
      watch.received(bytes);
    }
  }

  const reason = () => (watch.signal.aborted ? String(watch.signal.reason) : "");

  it("ends a transfer that is silent for 30 s", () => {
    vi.advanceTimersByTime(29_999);
    expect(reason()).toBe("");
    vi.advanceTimersByTime(1);
    expect(reason()).toBe("Error: the server sent nothing for 30 s");
  });

  it("ends one that sends less than 1 KiB/s over a minute, though it is never silent", () => {
    pass(50, 10_000);
    expect(reason()).toBe("");
    pass(10, 10_000);
    expect(reason()).toBe("Error: the server sent only 50000 bytes in 60 s");
  });

  it("tells of a slow minute after quick ones", () => {
    pass(120, 1_000_000);
    expect(reason()).toBe("");
    pass(130, 1);
    expect(reason()).toMatch(/^Error: the server sent only \d+ bytes in 60 s$/);
  });

  it("lets a transfer go on for hours that is slow but not as slow as that", () => {
    pass(2 * 3600, 13 * 1024);
    expect(reason()).toBe("");
  });

  it("ends what is left of the connection, and its own timers, when the transfer is over", () => {
    watch.stop();
    expect(watch.signal.aborted).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});
