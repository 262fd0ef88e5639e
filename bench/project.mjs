import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";

const stack = "bench";
const shownLines = 40;
/** How long Pulumi may take to end what it began, and its plugins, when the benchmark is interrupted. */
const cancelSeconds = 30;

/** A Pulumi project in a folder of its own, with its state in a file. */
export class Project {
  #name;
  #folder;
  #environment;
  #signal;

  constructor(name, folder, environment, signal) {
    this.#name = name;
    this.#folder = folder;
    this.#environment = environment;
    this.#signal = signal;
  }

  /**
   * @param {{
   *   name: string, folder: string, program: string, modules: Record<string, string>,
   *   config: Record<string, string>, options: string,
   * }} what
   * program: the file that is run; modules: what else it finds in node_modules, by name; folder: made here; options: of
   * Pulumi.yaml
   * @param {{ binDir: string, signal: AbortSignal }} how binDir: where the Pulumi CLI is
   */
  static async create({ name, folder, program, modules, config, options }, { binDir, signal }) {
    const state = join(folder, "state");
    await mkdir(state, { recursive: true });
    await mkdir(join(folder, "node_modules"));
    await symlink(program, join(folder, "index.mjs"));
    for (const [module, target] of Object.entries(modules)) await symlink(target, join(folder, "node_modules", module));
    await writeFile(join(folder, "Pulumi.yaml"), projectFile(name, options));
    await writeFile(join(folder, "package.json"), '{ "type": "module" }\n');
    const environment = {
      ...process.env,
      PATH: `${binDir}:${process.env.PATH}`,
      PULUMI_HOME: join(folder, "home"),
      PULUMI_BACKEND_URL: `file://${state}`,
      PULUMI_CONFIG_PASSPHRASE: "bench",
      PULUMI_CONFIG_PASSPHRASE_FILE: undefined,
      PULUMI_SKIP_UPDATE_CHECK: "true",
    };
    const project = new Project(name, folder, environment, signal);
    await project.#pulumi(["stack", "init"]);
    for (const [key, value] of Object.entries(config)) await project.#pulumi(["config", "set", key, value]);
    return project;
  }

  /** What Pulumi runs with, for whoever prepares something for it. */
  get environment() {
    return this.#environment;
  }

  /** Runs `pulumi up`, `refresh` or `destroy` as it is run in the field; returns its wall time, seconds. */
  async run(command, ...options) {
    const begun = performance.now();
    await this.#pulumi([command, "--yes", "--skip-preview", ...options]);
    return (performance.now() - begun) / 1000;
  }

  /** The bytes of the stack's state file, and how many resources of a type are in it. */
  async state(type) {
    const text = await readFile(join(this.#folder, "state", ".pulumi", "stacks", this.#name, `${stack}.json`), "utf8");
    const { resources = [] } = JSON.parse(text).checkpoint.latest;
    return { bytes: Buffer.byteLength(text), count: resources.filter((each) => each.type.endsWith(`:${type}`)).length };
  }

  async #pulumi(args) {
    const { exitCode, stdout, stderr } = await execa(
      "pulumi",
      [...args, "--stack", stack, "--non-interactive", "--color", "never"],
      {
        cwd: this.#folder,
        env: this.#environment,
        extendEnv: false,
        stdin: "ignore",
        reject: false,
        cancelSignal: this.#signal,
        forceKillAfterDelay: cancelSeconds * 1000,
      },
    );
    this.#signal.throwIfAborted();
    if (exitCode === 0) return;
    const last = `${stdout}\n${stderr}`.trim().split("\n").slice(-shownLines).join("\n");
    throw new Error(`${this.#name}: pulumi ${args.join(" ")} failed with exit code ${exitCode}\n${last}`);
  }
}

function projectFile(name, options) {
  return `name: ${name}
runtime: { name: nodejs, options: { typescript: false } }
main: index.mjs
options: ${options}
`;
}
