import { describe, expect, it } from "vitest";

import { execFile, execPath, findRunner, pidPath } from "../../../src/runtime/runner-files.js";
import { MemoryHost } from "../support/memory-host.js";

/** A host with a runner's files, whose processes are these command lines by process id. */
function hostWith(argv: string[], pid: string, processes: Record<number, string>): MemoryHost {
  const host = new MemoryHost();
  host.files.set(execPath("/run"), execFile({ argv, environment: {}, folder: "/run" }));
  host.files.set(pidPath("/run"), pid);
  host.findProcesses = (args) => {
    const found = Object.entries(processes).filter(([, line]) => ` ${line} `.includes(` ${args.join(" ")} `));
    return Promise.resolve(found.map(([id]) => Number(id)));
  };
  return host;
}

describe("findRunner", () => {
  const script = "/usr/bin/python3 /data/bin/engine --port 1";

  it("finds the process with the recorded id and the runner's arguments, also behind an interpreter", async () => {
    expect(await findRunner(hostWith(["/data/bin/engine", "--port", "1"], "7", { 7: script }), "/run")).toBe(7);
  });

  it("finds a runner without arguments", async () => {
    expect(await findRunner(hostWith(["/data/bin/engine"], "7", { 7: "/bin/sh /data/bin/engine" }), "/run")).toBe(7);
  });

  it.each([
    ["the id was given to another process", "7", { 7: "/usr/bin/vi" }],
    ["another process has the same arguments", "7", { 8: script }],
    ["no id was recorded", "", { 7: script }],
  ])("finds nothing when %s", async (_, pid, processes) => {
    expect(await findRunner(hostWith(["/data/bin/engine", "--port", "1"], pid, processes), "/run")).toBeUndefined();
  });
});
