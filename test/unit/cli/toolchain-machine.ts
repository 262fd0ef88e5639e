import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect } from "vitest";
import { obtainPulumi, pulumiVersion, type ToolchainEdges, type ToolchainOptions } from "../../../src/cli/toolchain.js";
import { BerthError } from "../../../src/lib/errors.js";

export const repository = join(import.meta.dirname, "..", "..", "..");
export const cliNames = ["pulumi", "pulumi-language-nodejs", "pulumi-resource-pulumi-nodejs"];
export const archiveName = `pulumi-v${pulumiVersion}-${process.platform}-${process.arch}.tar.gz`;

export const unreachable: ToolchainEdges = { whyNoAnswer: () => Promise.resolve("no answer within 5 s") };
export const reachable: ToolchainEdges = { whyNoAnswer: () => Promise.resolve(undefined) };

/** A machine in a temporary folder: its PATH is `bin` and its home is `home`, and both are empty at first. */
export class Machine {
  readonly reports: string[] = [];
  readonly versions: string;
  readonly cache: string;

  private constructor(readonly root: string) {
    this.versions = join(root, "home", ".pulumi", "versions");
    this.cache = join(this.versions, pulumiVersion, "bin");
  }

  static async create(): Promise<Machine> {
    return new Machine(await mkdtemp(join(tmpdir(), "berth-toolchain-")));
  }

  remove(): Promise<void> {
    return rm(this.root, { recursive: true, force: true });
  }

  options(environment: Record<string, string> = {}, more: Partial<ToolchainOptions> = {}): ToolchainOptions {
    return {
      environment: { PATH: join(this.root, "bin"), HOME: join(this.root, "home"), ...environment },
      packageRoot: join(this.root, "package"),
      report: (line) => this.reports.push(line),
      ...more,
    };
  }

  /** An offline folder with these files; returns its path. */
  async offline(files: Record<string, Buffer | string>): Promise<string> {
    const folder = join(this.root, "offline");
    await mkdir(folder, { recursive: true });
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    return folder;
  }

  /** What runs left beside the cache. */
  async leftovers(): Promise<string[]> {
    return (await readdir(this.versions)).filter((name) => name !== pulumiVersion);
  }
}

export async function putScript(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  await chmod(path, 0o755);
}

/** The text of a program that tells this version. */
export function answering(version: string): string {
  return `#!/bin/sh\necho v${version}\n`;
}

export async function putCli(folder: string, version = pulumiVersion, names = cliNames): Promise<void> {
  for (const name of names) await putScript(join(folder, name), answering(version));
}

/** What an obtain that must fail throws. */
export async function failure(options: ToolchainOptions, edges = unreachable): Promise<BerthError> {
  const error: unknown = await obtainPulumi(options, edges).then(
    (toolchain) => expect.fail(`obtained ${toolchain.detail}`),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof BerthError)) throw error;
  return error;
}
