import { mkdtemp, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { baseEnvironment } from "../../src/host/environment.js";
import { gatherHost } from "../../src/host/facts.js";
import { LocalHost } from "../../src/host/local.js";
import { sha256 } from "../../src/lib/canonical.js";
import { Systemd } from "../../src/runtime/systemd.js";
import type { SupervisorSetting } from "../contract/supervisor-stage.js";
import { repository } from "../support/toolchain.js";

/** systemd as the user who runs the test has it. Works inside the container that `test/contract/systemd.test.ts` starts. */
export async function systemdSetting(initSystem: "systemd" | "systemd-user"): Promise<SupervisorSetting> {
  const host = new LocalHost("local", baseEnvironment(process.env));
  const { facts } = await gatherHost(host, {});
  if (facts.initSystem !== initSystem) throw new Error(`the init system is ${facts.initSystem}, not ${initSystem}`);
  if (facts.python === undefined) throw new Error("there is no Python for Berth");
  const launcher = [facts.python.path, "-I", join(repository, "tools", "python", "exec.py")];
  const options = { isRoot: initSystem === "systemd", findLauncher: launcher, makeLauncher: launcher };
  const scope = options.isRoot ? [] : ["--user"];
  const units = options.isRoot ? "/etc/systemd/system" : join(facts.home, ".config/systemd/user");
  return {
    host,
    python: facts.python.path,
    folder: await realpath(await mkdtemp(join(tmpdir(), "berth contract "))),
    open: (dataDir) =>
      new Systemd({
        host,
        dataDir,
        isRoot: () => Promise.resolve(options.isRoot),
        findLauncher: () => Promise.resolve(launcher),
        makeLauncher: () => Promise.resolve(launcher),
      }),
    recipe: { kind: "systemd", options },
    definitionPath,
    forget: async (dataDir, id) => {
      await host.run(["systemctl", ...scope, "disable", basename(definitionPath(dataDir, id))]);
    },
    remains: async (dataDir) => {
      const own = join(dataDir, "systemd");
      const { stdout } = await host.run(["systemctl", ...scope, "list-units", "--all", `${prefixOf(dataDir)}*`]);
      const links = [...(await host.walk(units)).keys()].filter((path) => basename(path).startsWith(prefixOf(dataDir)));
      const loaded = stdout.split("\n").filter((line) => line.includes(prefixOf(dataDir)));
      return [...((await host.status(own)) === undefined ? [] : [own]), ...loaded, ...links];
    },
  };
}

function definitionPath(dataDir: string, id: string): string {
  return join(dataDir, "systemd", `${prefixOf(dataDir)}${id.replaceAll("@", ":")}.service`);
}

function prefixOf(dataDir: string): string {
  return `berth-${sha256(dataDir).slice(0, 8)}-`;
}
