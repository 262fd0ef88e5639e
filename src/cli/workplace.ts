import { existsSync, readFileSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { BerthError, systemCode } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";
import { printableLines } from "../lib/printable.js";
import { yamlLibrary } from "../schema/yaml-library.js";
import { assertStack } from "./known-stacks.js";
import type { Toolchain } from "./toolchain.js";

export const packageRoot = fileURLToPath(new URL("../..", import.meta.url));

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where a command works, and how it talks. */
export interface Workplace {
  readonly environment: Environment;
  /** The folder of `Pulumi.yaml`. */
  readonly root: string;
  print(text: string): void;
  /** For people alone: progress and notes, apart from what programs read. */
  note(text: string): void;
}

export interface WorkplaceOptions {
  readonly environment: Environment;
  readonly root: string;
  /** Where lines go that programs read. */
  readonly out: (text: string) => void;
  /** Where lines go that are for people alone. */
  readonly err: (text: string) => void;
}

/** A workplace of a terminal: whatever is printed holds texts of files and of others, which must not move its cursor. */
export function openWorkplace({ environment, root, out, err }: WorkplaceOptions): Workplace {
  return {
    environment,
    root,
    print: (text) => out(printableLines(text)),
    note: (text) => err(printableLines(text)),
  };
}

/** The folder of the nearest `Pulumi.yaml`, from a folder upwards. */
export function findRoot(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "Pulumi.yaml"))) return folder;
    if (folder === dirname(folder)) {
      throw new BerthError("file-not-found", {
        where: from,
        what: "there is no Pulumi.yaml here or in a folder above",
        hint: "run berth in the folder of a Pulumi project",
      });
    }
  }
}

/** The project's name, by its `Pulumi.yaml`. */
export function projectName(root: string): string {
  const { name } = yamlLibrary().parse(readFileSync(join(root, "Pulumi.yaml"), "utf8")) as { name: string };
  return name;
}

/**
 * The stack that a command is about: the one named, else PULUMI_STACK, else the only stack file there is.
 *
 * @throws BerthError `file-not-found` for a name that no stack has
 */
export async function chooseStack(workplace: Workplace, named: string | undefined): Promise<string> {
  const stack = await nameStack(workplace, named);
  await assertStack(workplace.root, stack);
  return stack;
}

/** The same for commands about what has no file any more: whether there is such a stack is not asked. */
export async function nameStack({ environment, root }: Workplace, named: string | undefined): Promise<string> {
  const asked = named ?? environment.PULUMI_STACK;
  if (asked !== undefined && asked !== "") return asked;
  const files = await readdir(join(root, "stacks")).catch(() => []);
  const stacks = files
    .filter((file) => /^[a-z0-9-]+\.yaml$/.test(file) && file !== "environments.yaml")
    .map((file) => file.slice(0, -5));
  const [only, ...others] = stacks;
  if (only !== undefined && others.length === 0) return only;
  throw new BerthError("usage", {
    what: "the stack is not named",
    expected: stacks.length === 0 ? "a stack file stacks/NAME.yaml" : stacks.join(" or "),
    hint: "name it, or set PULUMI_STACK",
  });
}

/** The stack's file: configuration `berth:stackFile`, else `stacks/<stack>.yaml`. */
export function stackFileOf(root: string, stack: string): string {
  const configuration = join(root, `Pulumi.${stack}.yaml`);
  const parsed: unknown = existsSync(configuration)
    ? yamlLibrary().parse(readFileSync(configuration, "utf8"))
    : undefined;
  const { config } = (parsed ?? {}) as { config?: Record<string, unknown> };
  const configured = config?.["berth:stackFile"];
  return typeof configured === "string" && configured !== "" ? configured : join("stacks", `${stack}.yaml`);
}

/** The project's own file state: where Pulumi keeps it, and what it is encrypted with. Made when they are missing. */
export async function prepareState(
  root: string,
): Promise<{ PULUMI_BACKEND_URL: string; PULUMI_CONFIG_PASSPHRASE_FILE: string }> {
  const state = join(root, ".berth", "state");
  const passphrase = join(root, ".berth", "passphrase");
  await mkdir(state, { recursive: true, mode: 0o700 });
  try {
    await writeFile(passphrase, `${randomText(32)}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  }
  return { PULUMI_BACKEND_URL: `file://${state}`, PULUMI_CONFIG_PASSPHRASE_FILE: passphrase };
}

/** What a Pulumi process gets: the CLI on PATH, and the project's file state unless the shell names another. */
export async function pulumiEnvironment({ environment, root }: Workplace, toolchain: Toolchain): Promise<Environment> {
  const own = environment.PULUMI_BACKEND_URL === undefined;
  return {
    ...environment,
    PATH: `${toolchain.binDir}:${environment.PATH ?? ""}`,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    ...(own ? { PULUMI_CONFIG_PASSPHRASE: undefined, ...(await prepareState(root)) } : {}),
  };
}

export interface PulumiResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Characters that are read of what Pulumi prints: a preview has some 16,000 for each of thousands of objects. */
const mostOutput = 500_000_000;

/** A Pulumi CLI with its environment. */
export class Pulumi {
  readonly #environment: Environment;
  readonly #root: string;
  readonly #binary: string;

  constructor(root: string, toolchain: Toolchain, environment: Environment) {
    this.#root = root;
    this.#binary = join(toolchain.binDir, "pulumi");
    this.#environment = environment;
  }

  /** The project's name, by `Pulumi.yaml`. */
  get project(): string {
    return projectName(this.#root);
  }

  get backendUrl(): string {
    return this.#environment.PULUMI_BACKEND_URL ?? "";
  }

  /** Runs `pulumi`; a failing command is a result. */
  async run(args: readonly string[], more: Environment = {}): Promise<PulumiResult> {
    const { execa } = await import("execa");
    const result = await execa(this.#binary, [...args, "--non-interactive", "--color", "never"], {
      cwd: this.#root,
      env: { ...this.#environment, ...more },
      extendEnv: false,
      stdin: "ignore",
      reject: false,
      maxBuffer: mostOutput,
    });
    return { exitCode: result.exitCode ?? 1, stdout: result.stdout, stderr: result.stderr };
  }

  /** Runs `pulumi` in the terminal, where it may ask; returns its exit code. */
  async attach(args: readonly string[], more: Environment = {}): Promise<number> {
    const { execa } = await import("execa");
    const { exitCode } = await execa(this.#binary, [...args], {
      cwd: this.#root,
      env: { ...this.#environment, ...more },
      extendEnv: false,
      stdio: "inherit",
      reject: false,
    });
    return exitCode ?? 1;
  }

  /** Runs `pulumi`; a failing command is an error with what it printed last. */
  async expect(args: readonly string[], more: Environment = {}): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(args, more);
    if (exitCode === 0) return stdout;
    throw new BerthError("pulumi-failed", {
      what: `pulumi ${args.join(" ")} failed with exit code ${exitCode}`,
      detail: lastLines(diagnostics(`${stdout}\n${stderr}`), 80),
    });
  }
}

/** The CLI, made when it is missing; `quiet` says nothing about it. */
export async function openPulumi(workplace: Workplace): Promise<Pulumi> {
  const { findPulumi, obtainPulumi } = await import("./toolchain.js");
  const options = { environment: workplace.environment, packageRoot, report: (line: string) => workplace.note(line) };
  const toolchain = (await findPulumi(options)) ?? (await obtainPulumi(options));
  return new Pulumi(workplace.root, toolchain, await pulumiEnvironment(workplace, toolchain));
}

/** What Pulumi says went wrong: its section of diagnostics where there is one. */
function diagnostics(output: string): string {
  const begin = output.indexOf("Diagnostics:");
  const end = output.indexOf("\nOutputs:", begin);
  return begin < 0 ? output : output.slice(begin, end < 0 ? undefined : end);
}

/** Random bytes, written for a file. */
function randomText(bytes: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString("base64url");
}
