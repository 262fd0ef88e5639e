// Makes a clean clone ready: installs the dependencies and builds, when that is not done yet. Needs Node alone.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (...names) => join(root, ...names);

const [major] = process.versions.node.split(".").map(Number);
if (major < 20) fail(`Node ${process.versions.node} is too old; expected 20 or later`);

const begun = performance.now();
const done = [];
once(at("node_modules", ".berth-installed"), digest([at("package-lock.json")]), () => {
  console.log("   installing dependencies");
  run(...npm(), "ci", "--no-audit", "--no-fund", "--loglevel", "error");
  done.push("dependencies");
});
once(at("dist", ".built"), digest([...files(at("src")), at("tsconfig.json"), at("tsconfig.build.json")]), () => {
  console.log("   building");
  rmSync(at("dist"), { recursive: true, force: true });
  run(process.execPath, at("node_modules", "typescript", "bin", "tsc"), "-p", at("tsconfig.build.json"));
  done.push("build");
});
const seconds = ((performance.now() - begun) / 1000).toFixed(1);
console.log(`0  set up     ${done.length === 0 ? "nothing to do" : done.join(", ")}  (${seconds} s)`);

/** Does something unless the stamp says that it was done for the same content. */
function once(stamp, content, action) {
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === content) return;
  action();
  writeFileSync(stamp, content);
}

function files(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

function digest(paths) {
  const hash = createHash("sha256");
  for (const path of paths) hash.update(path.slice(root.length)).update("\0").update(readFileSync(path)).update("\0");
  return hash.digest("hex");
}

/** The npm that runs this script, so that no other one is needed on PATH. */
function npm() {
  const { npm_execpath: path } = process.env;
  return path === undefined ? ["npm"] : [process.execPath, path];
}

function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  if (error !== undefined) fail(`${command}: ${error.message}`);
  if (status !== 0) fail(`${[command, ...args].join(" ")} failed with exit code ${status}`);
}

function fail(message) {
  console.error(`error: set-up failed: ${message}`);
  process.exit(1);
}
