// Runs the tests: `npm test`, or one project of vitest.config.ts by name: `npm test -- unit`.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const projects = ["unit", "contract", "e2e", "record", "toolchain"];
const args = process.argv.slice(2);
const named = args.filter((arg) => projects.includes(arg));
const chosen = named.length > 0 ? named : projects.slice(0, 3);
const rest = args.filter((arg) => !projects.includes(arg));
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const { status } = spawnSync(
  process.execPath,
  [vitest, "run", ...chosen.flatMap((name) => ["--project", name]), ...rest],
  {
    cwd: root,
    stdio: "inherit",
  },
);
process.exit(status ?? 1);
