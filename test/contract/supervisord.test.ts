import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll } from "vitest";

import { baseEnvironment } from "../../src/host/environment.js";
import { gatherFacts } from "../../src/host/facts.js";
import { LocalHost } from "../../src/host/local.js";
import { createContent } from "../../src/install/content.js";
import { ensurePythonTool } from "../../src/install/python.js";
import { sha256 } from "../../src/lib/canonical.js";
import { systemClock } from "../../src/lib/clock.js";
import { Serial } from "../../src/lib/serial.js";
import { Supervisord } from "../../src/runtime/supervisord.js";
import { repository } from "../support/toolchain.js";
import { describeSupervisor } from "./supervisor.js";
import type { SupervisorSetting } from "./supervisor-stage.js";

const host = new LocalHost("local", baseEnvironment(process.env));
const exec = join(repository, "tools", "python", "exec.py");
let folder: string;
let bin: string;
let python: string;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "berth contract ")));
  const found = (await gatherFacts(host, folder)).python;
  if (found === undefined) throw new Error("this machine has no Python for Berth");
  python = found.path;
  const content = createContent(repository, repository);
  bin = await ensurePythonTool(
    { host, dataDir: join(folder, "100% tools"), python, content, serial: new Serial() },
    "supervisor",
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function make(): Promise<SupervisorSetting> {
  return Promise.resolve({
    host,
    python,
    folder,
    open: (dataDir) =>
      new Supervisord({
        host,
        dataDir,
        binFolder: () => Promise.resolve(bin),
        execScript: () => Promise.resolve(exec),
        clock: systemClock,
        serial: new Serial(),
      }),
    recipe: { kind: "supervisord", options: { binFolder: bin, execScript: exec } },
    definitionPath: (dataDir, id) => join(dataDir, "supervisor", "programs", `${id}.conf`),
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

describeSupervisor("supervisord", make);
