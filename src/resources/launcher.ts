import { posix } from "node:path";

import type { Host } from "../host/host.js";
import { dataPaths } from "../host/paths.js";
import type { Content } from "../install/content.js";
import { findHostPython, hostPython } from "../install/python.js";
import type { Serial } from "../lib/serial.js";
import type { Launcher } from "../runtime/runner-files.js";

export interface LauncherOptions {
  readonly host: Host;
  readonly dataDir: string;
  readonly content: Content;
  readonly serial: Serial;
  /** The Python that is found on the host now. */
  readonly find: () => Promise<{ path: string } | undefined>;
}

/** `exec.py` lies at one place for every version of Berth, so that an upgrade leaves definitions as they are. */
export function createLauncher({ host, dataDir, content, serial, find }: LauncherOptions): Launcher {
  const script = posix.join(dataPaths(dataDir).tools, "exec.py");
  const words = (python: string) => [python, "-I", script];
  return {
    async findLauncher() {
      const python = await findHostPython({ host, dataDir, find });
      return python === undefined ? undefined : words(python);
    },
    async makeLauncher() {
      const python = await hostPython({ host, dataDir, serial, find });
      const source = await content.pythonTool("exec.py");
      if ((await host.readText(script)) !== source) await host.writeFile(script, source);
      return words(python);
    },
  };
}
