import { execPath } from "../../src/runtime/runner-files.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import * as programs from "./runner-programs.js";
import { patience, SupervisorStage, type SupervisorSetting } from "./supervisor-stage.js";
import { describeRemoval } from "./supervisor-removal.js";
import { describeStop } from "./supervisor-stop.js";

/** What every Supervisor promises (`src/runtime/supervisor.ts`), each on a data directory with an awkward name. */
export function describeSupervisor(name: string, make: () => Promise<SupervisorSetting>): void {
  describe(name, () => {
    let stage: SupervisorStage;

    beforeAll(async () => {
      stage = await SupervisorStage.create(await make(), "it's 100%n ž of a host");
      await stage.supervisor.prepare();
    });
    afterAll(() => stage.dispose());

    describeStart(() => stage);
    describeLife(() => stage);
    describeStop(() => stage);
    describeRemoval(() => stage);
  });
}

function describeStart(stageOf: () => SupervisorStage): void {
  it("starts a runner: right after, it runs as defined and has not come back yet", async () => {
    const stage = stageOf();
    const spec = stage.runner("plain");
    await stage.supervisor.start(spec);
    const seen = await stage.supervisor.observe(spec);
    expect(seen).toMatchObject({
      state: { kind: "running", pid: expect.any(Number) as number },
      restarts: 0,
      asDefined: true,
    });
    await expect.poll(() => stage.processes(spec), patience).toEqual([await stage.pid(spec)]);
    expect(await stage.supervisor.list()).toContain("plain");
  });

  it("hands over arguments and environment verbatim, and nothing else", async () => {
    const stage = stageOf();
    const awkward = ["", " ", "a b", `'"\\`, "%n %% %(here)s", "$HOME ${HOME} $$", "#x ;y", "two\nlines\t", "žluť 🐎"];
    const long = "x".repeat(100_000);
    const argv = [stage.setting.python, "-u", "-c", programs.idle, ...awkward, long];
    const environment = Object.fromEntries([...awkward, long].map((text, index) => [`V${index}`, text]));
    const spec = stage.runner("awkward", programs.idle, { argv, environment });
    const pid = await stage.startUp(spec);
    expect((await stage.host.readText(`/proc/${pid}/cmdline`))?.split("\0")).toEqual([...argv, ""]);
    const pairs = Object.entries(environment).map(([key, value]) => `${key}=${value}`);
    expect((await stage.host.readText(`/proc/${pid}/environ`))?.split("\0")).toEqual([...pairs, ""]);
    await stage.supervisor.remove(spec);
  });

  it("keeps what it writes in a file, in a folder that only its owner can read", async () => {
    const stage = stageOf();
    const spec = stage.runner("talks", programs.talk);
    await stage.supervisor.start(spec);
    await expect.poll(() => stage.output(spec), patience).toContain("to error\n");
    expect(await stage.output(spec)).toContain("to output\n");
    expect((await stage.host.status(spec.folder))?.mode).toBe(0o700);
    expect((await stage.host.status(execPath(spec.folder)))?.mode).toBe(0o600);
    await stage.supervisor.remove(spec);
  });

  it("takes every id that is safe as a file name", async () => {
    const stage = stageOf();
    const spec = stage.runner(`project.stack.${"long-".repeat(30)}name_1@x-0.0123456789ab`);
    await stage.startUp(spec);
    expect(await stage.supervisor.list()).toContain(spec.id);
    expect((await stage.supervisor.observe(spec)).asDefined).toBe(true);
    await stage.supervisor.remove(spec);
    expect(await stage.stateKind(spec)).toBe("absent");
  });

  it("replaces the process when it is started with another definition", async () => {
    const stage = stageOf();
    const old = stage.runner("changes", programs.tidyUp);
    const before = await stage.startUp(old);
    const spec = stage.runner("changes", programs.idle, { startSeconds: 2, environment: { CHANGED: "yes" } });
    await stage.supervisor.start(spec);
    const pid = await stage.pid(spec);
    expect(pid).not.toBe(before);
    await expect.poll(() => stage.processes(spec), patience).toEqual([pid]);
    expect(await stage.output(spec)).toContain("tidied up");
    expect(await stage.supervisor.observe(spec)).toMatchObject({ restarts: 0, asDefined: true });
    await stage.supervisor.remove(spec);
  });

  it("can be prepared twice", async () => {
    const stage = stageOf();
    const spec = stage.runner("plain");
    const before = await stage.pid(spec);
    await stage.supervisor.prepare();
    await stage.setting.open(stage.dataDir).prepare();
    expect(await stage.pid(spec)).toBe(before);
  });
}

function describeLife(stageOf: () => SupervisorStage): void {
  it("brings a runner back that was killed, and counts it", async () => {
    const stage = stageOf();
    const spec = stage.runner("killed");
    let pid = await stage.startUp(spec);
    for (const restarts of [1, 2]) {
      process.kill(pid, "SIGKILL");
      await expect.poll(() => stage.restarts(spec), patience).toBe(restarts);
      await expect.poll(() => stage.stateKind(spec), patience).toBe("running");
      expect(await stage.pid(spec)).not.toBe(pid);
      pid = await stage.pid(spec);
      expect(await stage.processes(spec)).toEqual([pid]);
    }
    await stage.supervisor.start(spec);
    expect(await stage.restarts(spec)).toBe(0);
    await stage.supervisor.remove(spec);
  });

  it("brings a runner back that ended without an error", async () => {
    const stage = stageOf();
    const spec = stage.runner("ended", programs.endOnce);
    await stage.supervisor.start(spec);
    await expect.poll(() => stage.restarts(spec), patience).toBe(1);
    await expect.poll(() => stage.stateKind(spec), patience).toBe("running");
    await stage.supervisor.remove(spec);
  });

  it.each([1, 4])(
    "gives up on a runner that always ends within its %d s of start, and says why",
    async (startSeconds) => {
      const stage = stageOf();
      const spec = stage.runner(`fails-${startSeconds}`, programs.failAtOnce, { startSeconds });
      const starts = async () => (await stage.host.readText(`${spec.folder}/attempts`))?.length ?? 0;
      await stage.supervisor.start(spec);
      await expect.poll(starts, patience).toBeGreaterThanOrEqual(4);
      const settled = await starts();
      await new Promise((resolve) => setTimeout(resolve, 5000));
      expect(await starts()).toBe(settled);
      const { state } = await stage.supervisor.observe(spec);
      expect(state).toEqual({ kind: "stopped", reason: expect.stringMatching(/fatal|failed/i) as string });
      expect(await stage.output(spec)).toContain("cannot load");
      await stage.supervisor.remove(spec);
    },
  );

  it("starts a runner again that it had given up on", async () => {
    const stage = stageOf();
    const spec = stage.runner("mended", programs.failAtOnce);
    await stage.supervisor.start(spec);
    await expect
      .poll(() => stage.supervisor.observe(spec), patience)
      .toMatchObject({
        state: { kind: "stopped", reason: expect.stringMatching(/fatal|failed/i) as string },
      });
    const mended = stage.runner("mended");
    await stage.startUp(mended);
    expect(await stage.supervisor.observe(mended)).toMatchObject({ state: { kind: "running" }, restarts: 0 });
    await stage.supervisor.remove(mended);
  });

  it("does not disturb one runner by what happens to another", async () => {
    const stage = stageOf();
    const [one, other] = [stage.runner("one"), stage.runner("other")];
    const [, kept] = await Promise.all([stage.startUp(one), stage.startUp(other)]);
    process.kill(await stage.pid(one), "SIGKILL");
    await expect.poll(() => stage.restarts(one), patience).toBe(1);
    await stage.supervisor.start(one);
    await stage.supervisor.stop(one);
    await stage.supervisor.remove(one);
    expect(await stage.supervisor.observe(other)).toMatchObject({
      state: { kind: "running", pid: kept },
      restarts: 0,
      asDefined: true,
    });
    await stage.supervisor.remove(other);
  });

  it("is looked at without a change of anything in the data directory", async () => {
    const stage = stageOf();
    const [known, unknown] = [stage.runner("looked-at"), stage.runner("never-was")];
    await stage.startUp(known);
    const files = async () => [...(await stage.host.walk(stage.dataDir)).keys()];
    const before = await files();
    await stage.supervisor.observe(known);
    await stage.supervisor.observe(unknown);
    await stage.supervisor.list();
    expect(await files()).toEqual(before);
    await stage.supervisor.remove(known);
  });

  it("sees that a definition was edited; a start puts it right", async () => {
    const stage = stageOf();
    const spec = stage.runner("edited");
    await stage.startUp(spec);
    const path = stage.setting.definitionPath(stage.dataDir, spec.id);
    await stage.host.writeFile(path, `${(await stage.host.readText(path)) ?? ""}\n; edited\n`);
    expect(await stage.supervisor.observe(spec)).toMatchObject({ state: { kind: "running" }, asDefined: false });
    await stage.supervisor.start(spec);
    expect(await stage.supervisor.observe(spec)).toMatchObject({ state: { kind: "running" }, asDefined: true });
    await stage.supervisor.remove(spec);
  });

  it("sees that a definition was deleted; a start puts it back", async () => {
    const stage = stageOf();
    const spec = stage.runner("undefined");
    await stage.startUp(spec);
    await stage.host.remove(stage.setting.definitionPath(stage.dataDir, spec.id));
    expect((await stage.supervisor.observe(spec)).asDefined).toBe(false);
    await stage.supervisor.start(spec);
    await expect.poll(() => stage.processes(spec), patience).toEqual([await stage.pid(spec)]);
    expect((await stage.supervisor.observe(spec)).asDefined).toBe(true);
    await stage.supervisor.remove(spec);
  });
}
