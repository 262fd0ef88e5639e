// Runs the tests: `npm test` in minutes, with BERTH_TEST_ALL=1 all of them, in about an hour. `npm test -- unit` runs
// one project of vitest.config.ts, `npm test -- e2e drift` the files of it with such a name.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const projects = ["unit", "contract", "e2e", "record", "toolchain"];
/** Contract suites that take half a minute and more each. */
const longContracts = [
  ...[
    "adoption",
    "converge",
    "docker-faults",
    "docker-restart",
    "gateway",
    "hub-download",
    "install-hostile",
    "model-gateway",
  ],
  ...["python-lock", "ssh-converge", "ssh-docker", "ssh-faults", "ssh-host", "ssh-sudo", "supervisord", "systemd"],
];
/** One way through everything that a user does. */
const shortWay = ["lifecycle", "quickstart"];

const args = process.argv.slice(2);
const named = args.filter((arg) => projects.includes(arg));
const rest = args.filter((arg) => !projects.includes(arg));
const isChosen = named.length > 0 || rest.some((arg) => !arg.startsWith("-"));
const chosen = named.length > 0 ? named : projects.slice(0, 3);
const left = isChosen || process.env.BERTH_TEST_ALL === "1" ? [] : longFiles();
if (left.length > 0)
  process.stdout.write(`Without ${left.length} files that take longer; BERTH_TEST_ALL=1 npm test runs them too.\n`);

const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const { status } = spawnSync(
  process.execPath,
  [
    ...[vitest, "run", ...chosen.flatMap((name) => ["--project", name])],
    ...[...left.flatMap((file) => ["--exclude", file]), ...rest],
  ],
  { cwd: root, stdio: "inherit" },
);
process.exit(status ?? 1);

function longFiles() {
  const e2e = readdirSync(join(root, "test", "e2e"), { recursive: true })
    .filter((name) => name.endsWith(".test.ts") && !shortWay.includes(name.slice(0, -".test.ts".length)))
    .map((name) => `test/e2e/${name}`);
  return [...longContracts.map((name) => `test/contract/${name}.test.ts`), ...e2e].sort();
}
