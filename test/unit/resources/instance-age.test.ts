import { describe, expect, it } from "vitest";

import { findRunningSeconds } from "../../../src/resources/instance-age.js";
import { instanceFolder, writeRecord } from "../../../src/resources/instance-files.js";
import type { RunnerState } from "../../../src/runtime/supervisor.js";
import { contextOf } from "../support/contexts.js";
import { FakeSupervisor } from "../support/fake-supervisor.js";
import { instanceOf } from "../support/instances.js";
import { MemoryHost } from "../support/memory-host.js";

const inputs = instanceOf();

/** How long a runner in a state has been running, on a host whose `ps` and `date` say this. */
async function ageOf(state: RunnerState, said: Readonly<Record<string, string>>, isRecorded = true) {
  const host = new MemoryHost();
  host.run = ([command]) => Promise.resolve({ exitCode: 0, stdout: said[command] ?? "", stderr: "" });
  const supervisor = new FakeSupervisor();
  supervisor.observe = () => Promise.resolve({ state, restarts: 0, asDefined: true });
  const record = { schemaVersion: 1 as const, salt: "s", restarts: 0, pid: 7, current: "0123456789ab" };
  if (isRecorded) await writeRecord(host, instanceFolder("/data", inputs.owner, inputs.name), record);
  return findRunningSeconds(contextOf(host, supervisor), inputs);
}

describe("how long a runner has been running without a restart", () => {
  it("is the age of its process", async () => {
    expect(await ageOf({ kind: "running", pid: 7 }, { ps: "    7 01:00:05\n   77    00:01\n" })).toBe(3605);
  });

  it("is of a container what its engine tells, by the host's clock: its process may be another machine's", async () => {
    const state = { kind: "running", pid: 7, startedAt: "2026-01-01T00:00:00.25Z" } as const;
    expect(await ageOf(state, { ps: "7 10:00", date: "1767225660\n" })).toBe(59.75);
  });

  it("is not known of one that does not run, is not recorded, or is not told of", async () => {
    const running: RunnerState = { kind: "running", pid: 7 };
    expect(await ageOf({ kind: "stopped", reason: "" }, { ps: "7 10:00" })).toBeUndefined();
    expect(await ageOf(running, { ps: "7 10:00" }, false)).toBeUndefined();
    expect(await ageOf(running, { ps: "8 10:00" })).toBeUndefined();
  });
});
