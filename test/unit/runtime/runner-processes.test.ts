import { describe, expect, it } from "vitest";

import { findRunners } from "../../../src/runtime/runner-processes.js";
import { execFile } from "../../../src/runtime/runner-files.js";
import { MemoryHost } from "../support/memory-host.js";

class Machine extends MemoryHost {
  override findProcesses(args: readonly string[]): Promise<number[]> {
    return Promise.resolve(args.includes("--chat") ? [77] : []);
  }
}

async function machine(): Promise<Machine> {
  const host = new Machine();
  for (const [instance, pid] of [
    ["chat-0", "77"],
    ["other-0", "78"],
  ] as const) {
    const folder = `/data/instances/${instance}`;
    const argv = ["/bin/engine", `--${instance.slice(0, -2)}`];
    await host.writeFile(`${folder}/exec.json`, execFile({ argv, environment: {}, folder }));
    await host.writeFile(`${folder}/pid`, pid);
  }
  await host.writeFile("/data/instances/empty-0/output.log", "");
  return host;
}

describe("the runners of a data directory", () => {
  it("are those whose recorded process runs with the runner's very arguments", async () => {
    expect(await findRunners(await machine(), "/data")).toEqual(new Map([[77, "chat-0"]]));
  });

  it("are none where there are no instances", async () => {
    expect(await findRunners(await machine(), "/nowhere")).toEqual(new Map());
  });
});
