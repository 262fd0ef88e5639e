/** What the interpreter of the stack's commands imports: runs one command on a host, and ends. */
import { createOpenHost } from "../host/open.js";
import { BerthError, messageOf } from "../lib/errors.js";
import { runHostCommand } from "./host-command.js";
import { findProjectRoot } from "./project-root.js";

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => interrupted.abort());

const projectRoot = findProjectRoot(process.cwd());
try {
  const ran = await runHostCommand(process.argv.at(-1) ?? "", {
    openHost: createOpenHost({ environment: process.env, projectRoot }),
    environment: process.env,
    projectRoot,
    signal: interrupted.signal,
    report: (line) => console.error(line),
  });
  console.log(ran);
  process.exit(0);
} catch (error) {
  console.error(error instanceof BerthError ? error.toString() : messageOf(error));
  process.exit(1);
}
