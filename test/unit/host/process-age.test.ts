import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { findProcessAge, findSecondsSince, readProcessAge } from "../../../src/host/process-age.js";
import { LocalHost } from "../../../src/host/local.js";

const hostSaying = (stdout: string, exitCode = 0) => ({ run: () => Promise.resolve({ exitCode, stdout, stderr: "" }) });

describe("how long a process has been running", () => {
  it.each([
    ["00:07", 7],
    ["12:07", 727],
    ["01:00:00", 3600],
    ["2-01:00:01", 176_401],
    ["0:07", 7],
  ])("is read from %s", (elapsed, seconds) => {
    expect(readProcessAge(`    1    10:00\n 4242 ${elapsed}\n 14242 00:01\n`, 4242)).toBe(seconds);
  });

  it.each(["", "4242", " 4242 -", " 4242 00:07 more", "4242 x:07", "42 00:07", "4242 00:07:"])(
    "is not known from %j",
    (text) => {
      expect(readProcessAge(text, 4242)).toBeUndefined();
    },
  );

  it("is read as it is written", () => {
    const time = fc.record({ days: fc.nat(9999), hours: fc.nat(23), minutes: fc.nat(59), seconds: fc.nat(59) });
    const two = (number: number) => String(number).padStart(2, "0");
    fc.assert(
      fc.property(time, ({ days, hours, minutes, seconds }) => {
        const text = `7 ${days}-${two(hours)}:${two(minutes)}:${two(seconds)}`;
        expect(readProcessAge(text, 7)).toBe(((days * 24 + hours) * 60 + minutes) * 60 + seconds);
      }),
    );
  });

  it("is asked of the host, and not known of one that does not tell", async () => {
    expect(await findProcessAge(hostSaying("7 00:10"), 7)).toBe(10);
    expect(await findProcessAge(hostSaying("7 00:10", 1), 7)).toBeUndefined();
    const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/" });
    expect(await findProcessAge(host, process.pid)).toBeLessThan(24 * 3600);
  });
});

describe("how long ago something was, by the host's clock", () => {
  it.each([
    ["1767225660\n", "2026-01-01T00:00:00.000000000Z", 60],
    ["1767225600\n", "2026-01-01T00:00:00.5Z", 0],
  ])("is the difference: %j, %s", async (now, instant, seconds) => {
    expect(await findSecondsSince(hostSaying(now), instant)).toBe(seconds);
  });

  it.each([
    ["", "2026-01-01T00:00:00Z"],
    ["date: no such thing", "2026-01-01T00:00:00Z"],
    ["1767225600", "yesterday"],
    ["1767225600", "2027-01-01T00:00:00Z"],
  ])("is not known from %j and %s", async (now, instant) => {
    expect(await findSecondsSince(hostSaying(now), instant)).toBeUndefined();
  });
});
