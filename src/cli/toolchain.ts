import { access, constants, mkdir, mkdtemp, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, dirname, isAbsolute, join, resolve, sep } from "node:path";
import { execa } from "execa";
import semver from "semver";
import { BerthError, messageOf, systemCode } from "../lib/errors.js";
import { archiveName, unpackArchive } from "./toolchain-archive.js";
import { buildPulumi, downloadPulumi, minimumGo, whyNoAnswer } from "./toolchain-build.js";
import type { Made, WhyNoAnswer, Workplace } from "./toolchain-build.js";

/** The version of the Pulumi CLI that Berth is tested with, and that it makes where none is found. */
export const pulumiVersion = "3.256.0";

const acceptedVersions = `>=${pulumiVersion} <4`;

/** What the CLI needs beside it to run a program with dynamic providers: the Node language host, and their launcher. */
const companions = ["pulumi-language-nodejs", "pulumi-resource-pulumi-nodejs"];

const sources = ["path", "cache", "offline folder", "official download", "built with go"] as const;

export type ToolchainSource = (typeof sources)[number];

/** A Pulumi CLI that answered `pulumi version`. Put `binDir` first on PATH to use it. */
export interface Toolchain {
  binDir: string;
  /** Without a leading `v`. */
  version: string;
  source: ToolchainSource;
  /** One line for people: which CLI it is and where it came from. */
  detail: string;
}

export interface ToolchainOptions {
  /** PATH, HOME, PULUMI_HOME and BERTH_TOOLCHAIN are read here; commands that are run get all of it. */
  environment: Readonly<Record<string, string | undefined>>;
  /** Berth's own folder: holds `tools/pulumi`, and the npm packages `pulumi` and `@pulumi/pulumi` resolve from it. */
  packageRoot: string;
  /** Takes one line of progress. */
  report(line: string): void;
  /** Where to look; all sources when left out. The order stays the same. */
  sources?: readonly ToolchainSource[];
}

/** What tests replace. */
export interface ToolchainEdges {
  whyNoAnswer: WhyNoAnswer;
}

/** A toolchain, or why the source has none. */
type Attempt = Toolchain | { reason: string };

type Try = (options: ToolchainOptions, edges: ToolchainEdges) => Promise<Attempt>;

const attempts: Readonly<Record<ToolchainSource, Try>> = {
  path: findOnPath,
  cache: findInCache,
  "offline folder": unpackOffline,
  "official download": (options, edges) => make("official download", downloadPulumi, options, edges),
  "built with go": (options, edges) => make("built with go", buildPulumi, options, edges),
};

/**
 * The first good Pulumi CLI of: PATH; the cache that the npm package `pulumi` uses; the archive in the folder
 * BERTH_TOOLCHAIN; the official download; a build with Go. The last three put it into that cache, whole or not at all.
 *
 * @throws BerthError `toolchain-missing` when no source has one, or when BERTH_TOOLCHAIN is set and cannot be used;
 * `checksum-mismatch` when its archive is not what its SHA256SUMS says; `disk-full`.
 */
export async function obtainPulumi(
  options: ToolchainOptions,
  edges: ToolchainEdges = { whyNoAnswer },
): Promise<Toolchain> {
  const reasons: string[] = [];
  for (const source of chosenSources(options)) {
    const attempt = await attempts[source](options, edges);
    if ("version" in attempt) return attempt;
    reasons.push(`${source}: ${attempt.reason}`);
  }
  throw new BerthError("toolchain-missing", {
    what: `the Pulumi CLI ${pulumiVersion} could not be obtained`,
    hint:
      `Install Pulumi ${pulumiVersion}, or set BERTH_TOOLCHAIN to a folder that holds ${archiveName(pulumiVersion)}, ` +
      `or install Go ${minimumGo} or newer.`,
    detail: reasons.join("\n"),
  });
}

/** The CLI that `obtainPulumi` would take from PATH or the cache, or undefined; makes nothing and needs no network. */
export async function findPulumi(options: ToolchainOptions): Promise<Toolchain | undefined> {
  for (const source of chosenSources(options)) {
    const attempt = source === "path" ? await findOnPath(options) : source === "cache" && (await findInCache(options));
    if (attempt && "version" in attempt) return attempt;
  }
  return undefined;
}

function chosenSources(options: ToolchainOptions): ToolchainSource[] {
  return sources.filter((source) => options.sources?.includes(source) ?? true);
}

async function findOnPath({ environment }: ToolchainOptions): Promise<Attempt> {
  const folders = (environment["PATH"] ?? "").split(delimiter).filter(isAbsolute);
  const reasons: string[] = [];
  for (const folder of folders) {
    const command = join(folder, "pulumi");
    if (!(await isExecutable(command))) continue;
    const target = await realpath(command);
    // The npm package's launcher would download the CLI just to say its version.
    if ([command, target].some((path) => path.includes(`${sep}node_modules${sep}`))) continue;
    const found = await inspect(folder, environment, [dirname(target), ...folders]);
    if ("version" in found) {
      return { ...found, binDir: folder, source: "path", detail: `Pulumi ${found.version} from PATH: ${folder}` };
    }
    reasons.push(found.reason);
  }
  return { reason: reasons.length === 0 ? "PATH has no pulumi" : reasons.join("; ") };
}

async function findInCache({ environment }: ToolchainOptions): Promise<Attempt> {
  const binDir = cacheFolder(environment);
  const found = await inspect(binDir, environment);
  if ("reason" in found) return found;
  return { ...found, binDir, source: "cache", detail: `Pulumi ${found.version} from the cache: ${binDir}` };
}

async function unpackOffline(options: ToolchainOptions, edges: ToolchainEdges): Promise<Attempt> {
  const folder = setting(options.environment, "BERTH_TOOLCHAIN");
  if (folder === undefined) return { reason: "BERTH_TOOLCHAIN is not set" };
  const archive = join(resolve(folder), archiveName(pulumiVersion));
  const attempt = await make("offline folder", (work) => unpackArchive(archive, work.folder), options, edges);
  if ("version" in attempt) return attempt;
  throw new BerthError("toolchain-missing", {
    what: "the Pulumi CLI cannot be taken from the folder that BERTH_TOOLCHAIN names",
    where: folder,
    got: attempt.reason,
    expected: `${archiveName(pulumiVersion)}, as Pulumi publishes it`,
    hint: "Put the archive there, or unset BERTH_TOOLCHAIN.",
  });
}

/** Has a source fill a folder beside the cache, and puts what it made into the cache once it has been seen to run. */
async function make(
  source: ToolchainSource,
  fill: (work: Workplace) => Promise<Made>,
  options: ToolchainOptions,
  edges: ToolchainEdges,
): Promise<Attempt> {
  const cache = cacheFolder(options.environment);
  try {
    const scratch = await createScratch(dirname(dirname(cache)));
    try {
      const folder = join(scratch, "bin");
      await mkdir(folder);
      const filled = await fill({ ...options, ...edges, version: pulumiVersion, folder, scratch });
      if ("reason" in filled) return filled;
      const made = await inspect(folder, options.environment);
      if ("reason" in made) return made;
      await publish(folder, cache);
      return { ...made, binDir: cache, source, detail: `Pulumi ${made.version} ${filled.detail}` };
    } finally {
      // What unpacked a damaged archive may still be ending a file.
      await rm(scratch, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    }
  } catch (error) {
    throw cacheError(error, dirname(cache));
  }
}

/** Whether the CLI in a folder is complete and of an accepted version. Companions may also be elsewhere. */
async function inspect(
  folder: string,
  environment: ToolchainOptions["environment"],
  elsewhere: readonly string[] = [],
): Promise<{ version: string } | { reason: string }> {
  const command = join(folder, "pulumi");
  if (!(await isExecutable(command))) return { reason: `${folder} has no pulumi` };
  for (const companion of companions) {
    const places = [folder, ...elsewhere].map((place) => isExecutable(join(place, companion)));
    if (!(await Promise.all(places)).includes(true)) return { reason: `${folder} has no ${companion}` };
  }
  const env = { ...environment, PULUMI_SKIP_UPDATE_CHECK: "true" };
  const run = await execa(command, ["version"], {
    env,
    extendEnv: false,
    stdin: "ignore",
    timeout: 30_000,
    reject: false,
  });
  const version = semver.parse(run.stdout.trim());
  if (run.failed || version === null) return { reason: `${command} version does not tell its version` };
  if (semver.satisfies(version, acceptedVersions)) return { version: version.version };
  return { reason: `${command} is version ${version.version}, not ${acceptedVersions}` };
}

/** Moves files one by one, each atomically and `pulumi` last, because that is the file by which others find a cache. */
async function publish(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  const names = (await readdir(from)).filter((name) => name !== "pulumi");
  for (const name of [...names, "pulumi"]) await rename(join(from, name), join(to, name));
}

const scratchPrefix = ".berth-";
const abandonedAfterHours = 3;

async function createScratch(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true });
  const oldest = Date.now() - abandonedAfterHours * 3_600_000;
  for (const name of await readdir(parent)) {
    if (!name.startsWith(scratchPrefix)) continue;
    const path = join(parent, name);
    const changed = await stat(path).catch(() => undefined);
    if (changed !== undefined && changed.mtimeMs < oldest) await rm(path, { recursive: true, force: true });
  }
  return mkdtemp(join(parent, scratchPrefix));
}

/** The folder of npm package `pulumi` 3.256.0 (lib/cache.js), so that a CLI it downloaded is found, and the reverse. */
function cacheFolder(environment: ToolchainOptions["environment"]): string {
  const home = setting(environment, "PULUMI_HOME") ?? join(setting(environment, "HOME") ?? homedir(), ".pulumi");
  return join(resolve(home), "versions", pulumiVersion, "bin");
}

function setting(environment: ToolchainOptions["environment"], name: string): string | undefined {
  return environment[name] === "" ? undefined : environment[name];
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

function cacheError(error: unknown, where: string): unknown {
  if (error instanceof BerthError) return error;
  const code = systemCode(error);
  if (code === undefined) return error;
  const got = messageOf(error);
  if (code === "ENOSPC") {
    const hint = "Free 500 MB, or set PULUMI_HOME to a folder on a larger disk.";
    return new BerthError("disk-full", { what: "the disk has no room for the Pulumi CLI", where, got, hint });
  }
  const hint = "Set PULUMI_HOME to a folder that you may write.";
  return new BerthError("toolchain-missing", { what: "the Pulumi CLI's cache cannot be written", where, got, hint });
}
