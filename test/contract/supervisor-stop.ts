import { join } from "node:path";

import { expect, it } from "vitest";

import * as programs from "./runner-programs.js";
import { patience, type SupervisorStage } from "./supervisor-stage.js";

/** How runners end. */
export function describeStop(stageOf: () => SupervisorStage): void {
  it("keeps a runner stopped until it is started again", async () => {
    const stage = stageOf();
    const spec = stage.runner("rests");
    const pid = await stage.startUp(spec);
    process.kill(pid, "SIGKILL");
    await expect.poll(() => stage.restarts(spec), patience).toBe(1);
    await stage.supervisor.stop(spec);
    expect(await stage.processes(spec)).toEqual([]);
    await stage.setting.open(stage.dataDir).prepare();
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(await stage.processes(spec)).toEqual([]);
    expect(await stage.stateKind(spec)).toBe("stopped");
    expect(await stage.supervisor.list()).toContain("rests");

    await stage.supervisor.start(spec);
    expect(await stage.supervisor.observe(spec)).toMatchObject({
      state: { kind: "running" },
      restarts: 0,
      asDefined: true,
    });
    await stage.supervisor.remove(spec);
  });

  it("can be told twice to stop a runner", async () => {
    const stage = stageOf();
    const spec = stage.runner("twice");
    await stage.startUp(spec);
    await stage.supervisor.stop(spec);
    await stage.supervisor.stop(spec);
    expect(await stage.stateKind(spec)).toBe("stopped");
    await stage.supervisor.remove(spec);
  });

  it("stops and starts a runner that somebody took from the supervisor, or whose definition was deleted", async () => {
    const stage = stageOf();
    const spec = stage.runner("forgotten");
    await stage.startUp(spec);
    await stage.setting.forget(stage.dataDir, spec.id);
    expect(await stage.stateKind(spec)).toBe("absent");
    await stage.supervisor.stop(spec);
    expect(await stage.processes(spec)).toEqual([]);
    await stage.host.remove(stage.setting.definitionPath(stage.dataDir, spec.id));
    await stage.supervisor.stop(spec);
    await stage.supervisor.start(spec);
    expect(await stage.supervisor.observe(spec)).toMatchObject({ state: { kind: "running" }, asDefined: true });
    await stage.supervisor.remove(spec);
    expect(await stage.processes(spec)).toEqual([]);
  });

  it("lets a runner end in its own time", async () => {
    const stage = stageOf();
    const spec = stage.runner("tidies", programs.tidyUp);
    await stage.startUp(spec);
    await stage.supervisor.stop(spec);
    expect(await stage.output(spec)).toContain("tidied up");
    await stage.supervisor.remove(spec);
  });

  it("lets a stream in progress end, and does not wait for a client that asks nothing", async () => {
    const stage = stageOf();
    const spec = stage.runner("serves", programs.serve, { stopSeconds: 20 });
    await stage.startUp(spec);
    const port = (await stage.host.readText(join(spec.folder, "port"))) ?? "";
    const told: string[] = [];
    const onLine = (line: string) => told.push(line);
    const asking = stage.host.run([stage.setting.python, "-u", "-c", programs.ask, port], { onLine });
    await expect.poll(() => told, patience).toEqual(["begun"]);
    await stage.supervisor.stop(spec);
    await asking;
    expect(told).toEqual(["begun", "10 of 10 parts"]);
    expect(await stage.output(spec)).toMatch(/all was answered\n$/);
    await stage.supervisor.remove(spec);
  });

  it.each([2, 0])("ends a runner that does not want to within its %d s of stop", async (stopSeconds) => {
    const stage = stageOf();
    const spec = stage.runner("stubborn", programs.stubborn, { stopSeconds });
    await stage.startUp(spec);
    await stage.supervisor.stop(spec);
    expect(await stage.processes(spec)).toEqual([]);
    expect(await stage.output(spec)).toContain("asked to end");
    await stage.supervisor.remove(spec);
    await stage.host.remove(spec.folder);
  });

  it("ends the processes that a runner has made", async () => {
    const stage = stageOf();
    const spec = stage.runner("family", programs.parent);
    await stage.startUp(spec);
    expect(await stage.processes(spec)).toHaveLength(2);
    await stage.supervisor.stop(spec);
    expect(await stage.processes(spec)).toEqual([]);
    await stage.supervisor.remove(spec);
  });
}
