import { describe, expect, it } from "vitest";

import { formatFacts, reportOn } from "../../../src/cli/facts.js";
import { hostReport, type HostReport } from "../../../src/schema/facts.js";
import { seen } from "../support/accelerator-fixtures.js";
import { facts } from "../support/problems.js";

const labels = { os: "linux", pool: "a" };
const plain: HostReport = { reachable: true, labels, facts, usage: { listeningPorts: [] }, warnings: [] };

function withAccelerators(fixture: string): HostReport {
  const { accelerators, usage, warnings } = seen(fixture);
  return {
    reachable: true,
    labels,
    facts: { ...facts, kernel: "6.1.0", accelerators: [...accelerators] },
    usage: { listeningPorts: [], accelerators: [...usage] },
    warnings: warnings.map((text) => ({ subject: "accelerators" as const, text })),
  };
}

describe("a look at a host", () => {
  it("that goes well is what it found", async () => {
    expect(await reportOn(() => Promise.resolve(plain), 60)).toBe(plain);
  });

  it("that fails tells why, and the host counts as not reached", async () => {
    expect(await reportOn(() => Promise.reject(new Error("connection refused")), 60)).toEqual({
      reachable: false,
      problem: "connection refused",
    });
  });

  it("that never ends is given up at the deadline, and its commands are ended", async () => {
    let signal: AbortSignal | undefined;
    const look = (given: AbortSignal) => {
      signal = given;
      return new Promise<HostReport>(() => undefined);
    };
    expect(await reportOn(look, 0.01)).toEqual({ reachable: false, problem: "no answer within 0.01 s" });
    expect(signal?.aborted).toBe(true);
  });
});

describe("the tables of facts", () => {
  it("have a row for each host, and tell of those that were not reached", () => {
    const text = formatFacts({ box: plain, gone: { reachable: false, problem: "connection refused" } });
    expect(text).toContain("Debian GNU/Linux 12 (bookworm)");
    expect(text).toMatch(/gone +not reached/);
    expect(text).toMatch(/os=linux *\n.*pool=a/);
    expect(text.split("\n").at(-1)).toBe("not reached: gone: connection refused");
    expect(text).not.toContain("DEVICE");
  });

  it("have a row for each accelerator with its users: instances of Berth, and foreign processes", () => {
    const report = withAccelerators("nvidia/synthetic-535-h100");
    if (!report.reachable) throw new Error("not reached");
    const [first] = report.usage.accelerators?.[0]?.processes ?? [];
    if (first !== undefined) first.instance = "chat-0";
    const lines = formatFacts({ box: report }).split("\n");
    const words = (line: string | undefined) => line?.trim().split(/\s{2,}/);
    const at = lines.findIndex((line) => line.includes("DEVICE"));
    expect(words(lines[at + 1])).toEqual([
      "box",
      "0",
      "cuda",
      "NVIDIA H100 80GB HBM3",
      "79.6 GiB",
      "73.2 GiB",
      "chat-0",
      "535.00.02",
      "12.2",
      "9.0",
      "numa 0, link 0",
    ]);
    expect(lines[at + 3]).toContain("foreign: ml (pid 41822)");
    expect(lines[at + 3]).toContain("numa 1, pcie 0");
  });

  it("have a row for each MIG device", () => {
    const text = formatFacts({ box: withAccelerators("nvidia/synthetic-470-a100-mig") });
    expect(text).toContain("NVIDIA A100-SXM4-40GB (MIG on)");
    expect(text).toMatch(/0\/0 +mig +3g\.20gb +19\.6 GiB +4\.0 GiB +foreign: python3 \(pid 4100\)/);
    expect(text).toMatch(/0\/1 +mig +2g\.10gb/);
  });

  it("say of what is not told that it is unknown, and warn", () => {
    const text = formatFacts({ box: withAccelerators("thead/synthetic-ppu") });
    expect(text).toMatch(/1 +hggc +PPU-ZW810E +unknown +unknown/);
    expect(text).toContain("warning: box: PPU-ZW810E thead-1: `ppu-smi` does not tell its memory");
  });
});

describe("the JSON of facts", () => {
  it.each(["nvidia/synthetic-535-h100", "nvidia/synthetic-470-a100-mig", "amd/synthetic-rocm62-mi300x"])(
    "has the form that its schema says, as for %s",
    (fixture) => {
      expect(hostReport.safeParse(JSON.parse(JSON.stringify(withAccelerators(fixture)))).error).toBeUndefined();
    },
  );
});
