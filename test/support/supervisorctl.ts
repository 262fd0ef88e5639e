import { readdirSync } from "node:fs";
import { join } from "node:path";

import { execa } from "execa";

import type { Sandbox } from "./sandbox.js";

/** What somebody does by hand with the supervisor of a sandbox. */
export async function supervisorctl(sandbox: Sandbox, ...args: string[]): Promise<void> {
  const tools = join(sandbox.dataDir, "tools");
  const environment = readdirSync(tools).find((name) => name.startsWith("supervisor-")) ?? "";
  const configuration = join(sandbox.dataDir, "supervisor", "supervisord.conf");
  await execa(join(tools, environment, "bin", "supervisorctl"), ["-c", configuration, ...args]);
}
