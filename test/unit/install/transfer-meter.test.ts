import { describe, expect, it } from "vitest";

import { TransferMeter } from "../../../src/install/transfer-meter.js";
import { FakeClock } from "../support/fake-clock.js";

const mebibyte = 2 ** 20;
const untold = () => undefined;

describe("what a transfer took", () => {
  it("is its bytes, and the time from the first request to the last byte", () => {
    const clock = new FakeClock();
    const meter = new TransferMeter(clock);
    const told: number[] = [];
    const progress = meter.watch((current) => told.push(current));
    clock.pass(2);
    progress(0, 100 * mebibyte);
    clock.pass(8);
    progress(100 * mebibyte, 100 * mebibyte);
    clock.pass(60);
    expect(meter.sample).toEqual({ bytes: 100 * mebibyte, seconds: 10 });
    expect(told).toEqual([0, 100 * mebibyte]);
  });

  it("counts nothing of what was there when it went on", () => {
    const clock = new FakeClock();
    const meter = new TransferMeter(clock);
    const progress = meter.watch(untold);
    progress(900 * mebibyte, undefined);
    clock.pass(1);
    progress(910 * mebibyte, undefined);
    expect(meter.sample).toEqual({ bytes: 10 * mebibyte, seconds: 1 });
  });

  it("of several at once is that of all together, in the time of all together", () => {
    const clock = new FakeClock();
    const meter = new TransferMeter(clock);
    const [one, other] = [meter.watch(untold), meter.watch(untold)];
    for (const progress of [one, other]) progress(0, undefined);
    clock.pass(4);
    for (const progress of [one, other]) progress(20 * mebibyte, undefined);
    expect(meter.sample).toEqual({ bytes: 40 * mebibyte, seconds: 4 });
  });

  it("of several after each other adds up, and what comes again after a failure counts again", () => {
    const clock = new FakeClock();
    const meter = new TransferMeter(clock);
    const progress = meter.watch(untold);
    for (const current of [0, 6 * mebibyte, 0, 5 * mebibyte]) {
      progress(current, undefined);
      clock.pass(1);
    }
    expect(meter.sample).toEqual({ bytes: 11 * mebibyte, seconds: 3 });
  });

  it("of a small file tells nothing, and so does one that never began", () => {
    const clock = new FakeClock();
    const meter = new TransferMeter(clock);
    expect(meter.sample).toBeUndefined();
    const progress = meter.watch(untold);
    progress(0, undefined);
    clock.pass(5);
    progress(mebibyte, undefined);
    expect(meter.sample).toBeUndefined();
  });
});
