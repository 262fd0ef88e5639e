import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

import { expect, it } from "vitest";

import { repository } from "../support/toolchain.js";
import * as programs from "./runner-programs.js";
import { patience, SupervisorStage } from "./supervisor-stage.js";

/** Remove, retire, and what must outlive whom. */
export function describeRemoval(stageOf: () => SupervisorStage): void {
  it("leaves no definition and no process of a removed runner", async () => {
    const stage = stageOf();
    const spec = stage.runner("removed", programs.parent);
    await stage.startUp(spec);
    await stage.supervisor.remove(spec);
    expect(await stage.processes(spec)).toEqual([]);
    expect(await stage.supervisor.list()).not.toContain("removed");
    expect(await stage.host.status(stage.setting.definitionPath(stage.dataDir, spec.id))).toBeUndefined();
    expect(await stage.supervisor.observe(spec)).toMatchObject({ state: { kind: "absent" }, asDefined: false });
  });

  it("removes what is not there without a complaint", async () => {
    const stage = stageOf();
    await stage.supervisor.remove(stage.runner("never-was"));
    expect(await stage.stateKind(stage.runner("never-was"))).toBe("absent");
    const untouched = await SupervisorStage.create(stage.setting, "untouched");
    await untouched.supervisor.remove(untouched.runner("never-was"));
    await untouched.supervisor.retire();
    expect(await untouched.host.list(untouched.dataDir)).toEqual([]);
    await untouched.dispose();
  });

  it("ends a removed runner whose definition somebody had deleted", async () => {
    const stage = stageOf();
    const spec = stage.runner("deleted");
    await stage.startUp(spec);
    await stage.host.remove(stage.setting.definitionPath(stage.dataDir, spec.id));
    await stage.supervisor.remove(spec);
    expect(await stage.processes(spec)).toEqual([]);
    expect(await stage.stateKind(spec)).toBe("absent");
  });

  it("does not retire while a runner is left; then it leaves nothing, twice", async () => {
    const stage = await SupervisorStage.create(stageOf().setting, "retires");
    const spec = stage.runner("last");
    await stage.supervisor.prepare();
    const pid = await stage.startUp(spec);
    await stage.supervisor.retire();
    expect(await stage.pid(spec)).toBe(pid);
    expect(await stage.setting.remains(stage.dataDir)).not.toEqual([]);

    await stage.supervisor.remove(spec);
    await stage.supervisor.retire();
    expect(await stage.setting.remains(stage.dataDir)).toEqual([]);
    await stage.supervisor.retire();
    await stage.dispose();
  });

  it("retires what was left running, or stopped, when the data directory was lost", async () => {
    const stage = await SupervisorStage.create(stageOf().setting, "lost");
    const [runs, rests] = [stage.runner("runs"), stage.runner("rests")];
    await stage.supervisor.prepare();
    await stage.startUp(runs);
    await stage.startUp(rests);
    await stage.supervisor.stop(rests);
    await stage.host.remove(stage.dataDir);

    await stage.setting.open(stage.dataDir).retire();
    expect(await stage.processes(runs)).toEqual([]);
    expect(await stage.setting.remains(stage.dataDir)).toEqual([]);
    await stage.dispose();
  });

  it("takes a data directory with a path of 200 bytes", async () => {
    const stage = await SupervisorStage.create(stageOf().setting, `long${"-long".repeat(36)}`);
    const spec = stage.runner("deep");
    await stage.supervisor.prepare();
    await stage.startUp(spec);
    await stage.supervisor.stop(spec);
    await stage.supervisor.start(spec);
    expect(await stage.stateKind(spec)).toBe("running");
    await stage.supervisor.remove(spec);
    await stage.supervisor.retire();
    expect(await stage.setting.remains(stage.dataDir)).toEqual([]);
    await stage.dispose();
  });

  it("keeps a runner when the process that started it, and its terminal, are gone", async () => {
    const stage = await SupervisorStage.create(stageOf().setting, "outlives");
    const spec = stage.runner("orphan");
    const script = join(repository, "test", "contract", "start-runner.mjs");
    const request = [stage.setting.recipe, stage.dataDir, spec].map((part) => JSON.stringify(part));
    const child = spawn(process.execPath, [script, ...request], {
      detached: true,
      stdio: ["ignore", "ignore", "inherit"],
    });
    const [exitCode] = (await once(child, "exit")) as [number];
    expect(exitCode).toBe(0);
    endGroup(child.pid ?? 0);

    await expect.poll(() => stage.output(spec), patience).toContain("up\n");
    expect(await stage.processes(spec)).toEqual([await stage.pid(spec)]);
    await stage.dispose();
  });
}

/** As a terminal does that is closed. */
function endGroup(group: number): void {
  try {
    process.kill(-group, "SIGHUP");
  } catch {
    // Nobody is left in it.
  }
}
