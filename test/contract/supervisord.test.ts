import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { baseEnvironment } from "../../src/host/environment.js";
import { gatherPython } from "../../src/host/facts.js";
import { LocalHost } from "../../src/host/local.js";
import { createContent } from "../../src/install/content.js";
import { ensurePythonTool } from "../../src/install/python.js";
import { sha256 } from "../../src/lib/canonical.js";
import { systemClock } from "../../src/lib/clock.js";
import { Serial } from "../../src/lib/serial.js";
import { Supervisord } from "../../src/runtime/supervisord.js";
import { repository } from "../support/toolchain.js";
import { describeSupervisor } from "./supervisor.js";
import { patience, SupervisorStage, type SupervisorSetting } from "./supervisor-stage.js";

const host = new LocalHost("local", baseEnvironment(process.env));
const launcher = () => [python, "-I", join(repository, "tools", "python", "exec.py")];
let folder: string;
let bin: string;
let python: string;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "berth contract ")));
  const found = (await gatherPython(host)).python;
  if (found === undefined) throw new Error("this machine has no Python for Berth");
  python = found.path;
  const content = createContent(repository, repository);
  bin = await ensurePythonTool(
    { host, dataDir: join(folder, "100% tools"), python, content, serial: new Serial() },
    "supervisor",
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function make(binFolder = bin): Promise<SupervisorSetting> {
  return Promise.resolve({
    host,
    python,
    folder,
    open: (dataDir) =>
      new Supervisord({
        host,
        dataDir,
        binFolder: () => Promise.resolve(binFolder),
        findLauncher: () => Promise.resolve(launcher()),
        makeLauncher: () => Promise.resolve(launcher()),
        clock: systemClock,
        serial: new Serial(),
      }),
    recipe: {
      kind: "supervisord",
      options: { binFolder, findLauncher: launcher(), makeLauncher: launcher() },
    },
    definitionPath: (dataDir, id) => join(dataDir, "supervisor", "programs", `${id}.conf`),
    forget: async (dataDir, id) => {
      const control = [
        join(binFolder, "supervisorctl"),
        "-c",
        join(dataDir, "supervisor", "supervisord.conf"),
      ] as const;
      for (const verb of ["stop", "remove"]) await host.run([...control, verb, id]);
    },
    remains,
  });
}

/** Its folder, the folder of a socket that would have too long a path there, and processes. */
async function remains(dataDir: string): Promise<string[]> {
  const own = join(dataDir, "supervisor");
  const socket = join("/tmp", `berth-${sha256(own).slice(0, 16)}`);
  const folders = await Promise.all([own, socket].map(async (path) => ((await host.status(path)) ? [path] : [])));
  const processes = await host.findProcesses(["-c", join(own, "supervisord.conf")]);
  return [...folders.flat(), ...processes.map((pid) => `process ${pid}`)];
}

describeSupervisor("supervisord", () => make());

describe("a data directory whose path supervisord cannot write down", () => {
  it.each(['"', "\\", ";", "#", "[", "]", "\n", "\u001b"])(
    "is refused before anything is made: %j",
    async (character) => {
      const stage = await SupervisorStage.create(await make(), `un${character}fit`);
      await expect(stage.supervisor.prepare()).rejects.toMatchObject({ code: "host-unsuitable" });
      expect(await host.list(stage.dataDir)).toEqual([]);
      await rm(stage.dataDir, { recursive: true });
    },
  );
});

describe("a supervisord that is lost", () => {
  let stage: SupervisorStage;
  let lost: number[] = [];

  beforeAll(async () => {
    stage = await SupervisorStage.create(await make(), "100% lost");
    await stage.supervisor.prepare();
  });
  afterAll(() => stage.dispose());

  const supervisors = () => host.findProcesses(["-c", join(stage.dataDir, "supervisor", "supervisord.conf")]);
  const end = (pids: number[]) => pids.forEach((pid) => process.kill(pid, "SIGKILL"));

  it("is told apart from a runner that stopped", async () => {
    const spec = stage.runner("seen");
    await stage.startUp(spec);
    end(await supervisors());
    await expect.poll(() => stage.stateKind(spec), patience).toBe("unsupervised");
    await stage.supervisor.remove(spec);
    expect(await stage.processes(spec)).toEqual([]);
    expect(await stage.supervisor.list()).toEqual([]);
    await stage.supervisor.prepare();
  });

  it.each<[string, (runner: number[]) => Promise<void>]>([
    ["was killed while its runner goes on", async () => end(await supervisors())],
    [
      "was killed, and its runner with it, as by a loss of power",
      async (runner) => end([...(await supervisors()), ...runner]),
    ],
    ["goes on without its socket", () => host.remove(join(stage.dataDir, "supervisor", "supervisor.sock"))],
  ])("is replaced when it %s: one supervisor, and one process of the runner", async (_what, lose) => {
    const spec = stage.runner("kept");
    const before = await stage.startUp(spec);
    const [oldSupervisor] = await supervisors();
    await lose([before]);
    await stage.setting.open(stage.dataDir).prepare();
    expect(await supervisors()).toEqual([expect.any(Number)]);
    expect(await supervisors()).not.toEqual([oldSupervisor]);
    await expect.poll(() => stage.processes(spec), patience).toEqual([await stage.pid(spec)]);
    expect(await stage.pid(spec)).not.toBe(before);

    await stage.supervisor.start(spec);
    await expect.poll(() => stage.processes(spec), patience).toEqual([await stage.pid(spec)]);
    expect(await stage.supervisor.observe(spec)).toMatchObject({ restarts: 0, asDefined: true });
    await stage.supervisor.remove(spec);
  });

  it.each<[string, () => void]>([
    ["killed", () => end(lost)],
    ["not killed", () => undefined],
  ])("is outlived by no removed runner when its folder is deleted and it was %s", async (_what, lose) => {
    const spec = stage.runner("folderless");
    await stage.startUp(spec);
    lost = await supervisors();
    lose();
    await host.remove(join(stage.dataDir, "supervisor"));
    await stage.supervisor.remove(spec);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(await stage.processes(spec)).toEqual([]);
    await stage.supervisor.prepare();
  });

  it("does not start a runner again that was stopped", async () => {
    const spec = stage.runner("rests");
    await stage.startUp(spec);
    await stage.supervisor.stop(spec);
    end(await supervisors());
    await stage.setting.open(stage.dataDir).prepare();
    expect(await stage.stateKind(spec)).toBe("stopped");
    expect(await stage.processes(spec)).toEqual([]);
    await stage.supervisor.remove(spec);
  });
});

describe("a supervisord whose environment was deleted", () => {
  let tools: string;
  let stage: SupervisorStage;

  beforeEach(async () => {
    tools = join(folder, `tools of ${Math.random()}`);
    await host.link(bin, tools);
    stage = await SupervisorStage.create(await make(tools), "toolless");
    await stage.supervisor.prepare();
  });
  afterEach(async () => {
    await stage.dispose();
    await host.remove(tools);
  });

  const remake = () => host.link(bin, tools);

  it("cannot be asked, which looking tells and does not mend", async () => {
    const spec = stage.runner("asked");
    await stage.startUp(spec);
    await host.remove(tools);
    const before = await host.walk(stage.dataDir);
    expect(await stage.supervisor.observe(spec)).toMatchObject({ state: { kind: "unsupervised" }, asDefined: true });
    expect(await stage.supervisor.list()).toEqual(["asked"]);
    expect(await host.walk(stage.dataDir)).toEqual(before);
    expect(await host.status(tools)).toBeUndefined();
  });

  it("is asked again by the next one, and goes on with its runner", async () => {
    const spec = stage.runner("goes-on");
    const pid = await stage.startUp(spec);
    await host.remove(tools);
    await host.remove(join(stage.dataDir, "supervisor", "bin"));
    await remake();
    await stage.setting.open(stage.dataDir).prepare();
    expect(await stage.pid(spec)).toBe(pid);
  });

  it("starts no runner again that is stopped or removed, and leaves the others running", async () => {
    const [stopped, removed, other] = [stage.runner("stopped"), stage.runner("removed"), stage.runner("other")];
    for (const spec of [stopped, removed, other]) await stage.startUp(spec);
    const before = await stage.processes(other);
    await host.remove(tools);
    await stage.supervisor.stop(stopped);
    await stage.supervisor.remove(removed);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect([...(await stage.processes(stopped)), ...(await stage.processes(removed))]).toEqual([]);
    expect(await stage.processes(other)).toEqual(before);
    expect(await stage.stateKind(other)).toBe("unsupervised");

    await remake();
    await stage.supervisor.prepare();
    await expect.poll(() => stage.stateKind(other), patience).toBe("running");
    expect(await stage.stateKind(stopped)).toBe("stopped");
  });

  it("is taken away all the same", async () => {
    const spec = stage.runner("last");
    await stage.startUp(spec);
    await host.remove(tools);
    await stage.supervisor.remove(spec);
    await stage.supervisor.retire();
    expect(await stage.processes(spec)).toEqual([]);
    expect(await remains(stage.dataDir)).toEqual([]);
  });
});
