import { posix } from "node:path";
import { pathToFileURL } from "node:url";

import { packageVersionOf } from "../catalog/artifact.js";
import type { RunResult } from "../host/host.js";
import { dataPaths, executableName } from "../host/paths.js";
import { BerthError } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";
import type { ContentReference } from "./content.js";
import { runPip } from "./pip.js";
import { ensurePythonTool, runPythonScript, type PythonContext } from "./python.js";

/** A backend version that pipx installs in an environment of its own. */
export interface PipxArtifact {
  readonly backend: string;
  readonly version: string;
  /** The Python package that is the engine. */
  readonly package: string;
  /** Its version, when it is not the backend's. */
  readonly packageVersion?: string | undefined;
  /** The package's command that is the engine. Default: the backend's or the package's name, or the only one. */
  readonly command?: string | undefined;
  /** The package and all it needs, each with hashes. */
  readonly requirements: ContentReference;
  /** A module with main(), for a package that brings no command. */
  readonly launcher?: ContentReference | undefined;
  /** Given by the stack: used as it is, never replaced by another pipx. */
  readonly pipxPath?: string | undefined;
}

export interface PipxContext extends PythonContext {
  /** The host's own pipx. */
  readonly hostPipx?: string | undefined;
  /** Which wheels `python` takes. */
  readonly pythonTag: string;
}

export interface PipxEnvironment {
  /** The environment's folder. */
  readonly folder: string;
  /** The engine's command inside it. */
  readonly executable: string;
}

/**
 * Fetches the artifact's wheels into the host's cache; each is checked against its hash. Returns the folder that holds
 * them.
 */
export async function downloadWheels(
  context: PipxContext,
  artifact: PipxArtifact,
  onProgress?: (current: number, total: number) => void,
): Promise<string> {
  const { host } = context;
  const folder = wheelFolder(context, artifact);
  const complete = completeMark(context, artifact);
  if ((await host.status(complete)) !== undefined) return folder;
  const list = await writeRequirements(context, artifact);
  const python = posix.join(await ensurePythonTool(context, "pip"), "python");
  const hashed = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement", list];
  await runPip(host, python, ["download", "--progress-bar", "raw", "--dest", folder, ...hashed], {
    subject: subjectOf(context, artifact),
    indexUrl: context.indexUrl,
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(context.signal === undefined ? {} : { signal: context.signal }),
  });
  await host.writeFile(complete, "");
  return folder;
}

/**
 * Fetches the wheels, and meanwhile has pipx make the environment where that needs none of them: with a launcher.
 * Returns the folder of the wheels. Nothing is left of an environment when either fails.
 */
export async function prepareInstallation(
  context: PipxContext,
  artifact: PipxArtifact,
  folder: string,
  onProgress?: (current: number, total: number) => void,
): Promise<string> {
  if (artifact.launcher === undefined) return downloadWheels(context, artifact, onProgress);
  const wheels = downloadWheels(context, artifact, onProgress);
  const [, made] = await Promise.allSettled([wheels, makeEnvironment(context, artifact, folder)]);
  try {
    if (made.status === "rejected") throw made.reason;
    return await wheels;
  } catch (error) {
    await context.host.remove(folder);
    throw error;
  }
}

/**
 * Installs into a folder, from the downloaded wheels alone: no index is asked, and every hash is checked again. pipx
 * makes the environment and the command, unless that is done; what the engine needs goes into it by pipx's own pip.
 * Wheels that pip refuses are downloaded anew, once. Nothing is left of an installation that failed.
 */
export async function installEnvironment(
  context: PipxContext,
  artifact: PipxArtifact,
  folder: string,
): Promise<PipxEnvironment> {
  const install = async () => {
    const isMade = artifact.launcher !== undefined && (await context.host.status(folder)) !== undefined;
    if (!isMade) await makeEnvironment(context, artifact, folder);
    return fillEnvironment(context, artifact, folder);
  };
  try {
    return await install().catch(async (error: unknown) => {
      if (!isRefusal(error)) throw error;
      await context.host.remove(completeMark(context, artifact));
      await context.host.remove(folder);
      await downloadWheels(context, artifact);
      return install();
    });
  } catch (error) {
    if (isRefusal(error)) await context.host.remove(completeMark(context, artifact));
    await context.host.remove(folder);
    throw error;
  }
}

/** Has pipx make an environment with the launcher, or else with the package. */
async function makeEnvironment(context: PipxContext, artifact: PipxArtifact, folder: string): Promise<void> {
  // Older pipx do not lock what their environments share.
  await context.serial.run(`${context.dataDir} pipx install`, () => runPipx(context, artifact, folder));
}

async function runPipx(context: PipxContext, artifact: PipxArtifact, folder: string): Promise<void> {
  const { host } = context;
  const subject = subjectOf(context, artifact);
  const pipx = await findPipx(context, artifact);
  const env = pipxVariables(context, artifact, folder);
  const signal = context.signal === undefined ? {} : { signal: context.signal };
  await makeLauncherWheel(context, artifact);
  // Given a path instead of a name, pipx installs it twice: once more only to learn its name.
  const named = `${launcherName(artifact)}==${toldVersion(artifact)}`;
  const options = ["--suffix", `_${artifact.version}`, "--python", context.python];
  const installed = await host.run([...pipx, "install", ...options, "--pip-args=--no-deps --no-index", named], {
    env,
    timeoutSeconds: 600,
    ...signal,
  });
  if (installed.exitCode !== 0) throw pipxFailure(installed, subject, "pipx install failed");
}

async function fillEnvironment(context: PipxContext, artifact: PipxArtifact, folder: string): Promise<PipxEnvironment> {
  const { host } = context;
  const env = pipxVariables(context, artifact, folder);
  const signal = context.signal === undefined ? {} : { signal: context.signal };
  const executable = await findCommand(context, artifact, posix.join(folder, "bin"));
  const python = posix.join(posix.dirname(executable), "python");
  const list = await writeRequirements(context, artifact);
  // Without a launcher pipx itself has put the package there, unhashed: it is put there again with its hash checked.
  const again = artifact.launcher === undefined ? ["--force-reinstall"] : [];
  const hashed = ["--no-deps", "--require-hashes", "--only-binary=:all:", ...again, "--requirement", list];
  // As `pipx runpip` does it, without another start of pipx.
  const filled = await host.run([python, "-m", "pip", "install", ...hashed], { env, timeoutSeconds: 1800, ...signal });
  if (filled.exitCode !== 0)
    throw pipxFailure(filled, subjectOf(context, artifact), "pip could not fill the pipx environment");
  return { folder: posix.dirname(posix.dirname(executable)), executable };
}

/** The engine among the commands that pipx made, each named `<command>_<version>`. */
async function findCommand(context: PipxContext, artifact: PipxArtifact, folder: string): Promise<string> {
  const { host } = context;
  const made = await host.list(folder);
  const named = (command: string) => executableName(command, artifact.version);
  const asked = artifact.command === undefined ? [artifact.backend, artifact.package] : [artifact.command];
  const only = artifact.command === undefined && made.length === 1 ? made : [];
  const found = [...asked.map(named), ...only].find((name) => made.includes(name));
  const executable = found === undefined ? undefined : await host.readLink(posix.join(folder, found));
  if (executable !== undefined) return executable;
  throw new BerthError("install-failed", {
    where: subjectOf(context, artifact),
    what: "the package does not bring the command that is to be the engine",
    got: made.join(", ") || "no command",
    expected: asked.map(named).join(" or "),
    hint: "name the package's command as `command` in the backend file, or give it a launcher",
  });
}

const packageVersionProgram = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))";

/**
 * Asks what was installed for its version: a launcher itself, a package by what its environment says of it, which takes
 * no GPU and no minute.
 */
export async function probeVersion(
  { host }: Pick<PipxContext, "host">,
  artifact: PipxArtifact,
  { folder, executable }: PipxEnvironment,
): Promise<void> {
  const expected = toldVersion(artifact);
  const argv: [string, ...string[]] =
    artifact.launcher === undefined
      ? [posix.join(folder, "bin", "python"), "-I", "-c", packageVersionProgram, artifact.package]
      : [executable, "--version"];
  const result = await host.run(argv, { timeoutSeconds: 120 });
  const told = result.stdout.trim();
  if (result.exitCode === 0 && told.split(/\s+/).includes(expected)) return;
  throw new BerthError("install-failed", {
    where: subjectOf({ host }, artifact),
    what: "the installed engine does not tell the version that is pinned",
    got: result.exitCode === 0 ? told : `exit code ${result.exitCode}`,
    expected,
    detail: lastLines(result.stderr, 10),
  });
}

/** A launcher is Berth's own package, of the backend's very version. */
function toldVersion(artifact: PipxArtifact): string {
  return artifact.launcher === undefined ? packageVersionOf(artifact, artifact.version) : artifact.version;
}

async function findPipx(context: PipxContext, artifact: PipxArtifact): Promise<[string, ...string[]]> {
  if (artifact.pipxPath !== undefined) {
    const { exitCode } = await context.host.run([artifact.pipxPath, "--version"], { timeoutSeconds: 60 });
    if (exitCode === 0) return [artifact.pipxPath];
    throw new BerthError("host-unsuitable", {
      where: `host ${context.host.name}`,
      what: "the pipx that the stack names does not work",
      got: `${artifact.pipxPath}: exit code ${exitCode}`,
      expected: "a pipx that answers --version",
      hint: "correct the host's pipxPath, or leave it out",
    });
  }
  if (context.hostPipx !== undefined) return [context.hostPipx];
  return [posix.join(await ensurePythonTool(context, "pipx"), "pipx")];
}

/** Puts the launcher's package among the wheels. */
async function makeLauncherWheel(context: PipxContext, artifact: PipxArtifact): Promise<void> {
  if (artifact.launcher === undefined) return;
  const name = launcherName(artifact);
  const module = name.replaceAll("-", "_");
  await context.host.makeDirectory(wheelFolder(context, artifact));
  const output = posix.join(wheelFolder(context, artifact), `${module}-${artifact.version}-py3-none-any.whl`);
  const source = await context.content.backendFile(artifact.launcher);
  const request = { name, version: artifact.version, module, command: artifact.backend, source, output };
  await runPythonScript(context, "launcher_wheel.py", request, { subject: subjectOf(context, artifact) });
}

async function writeRequirements(context: PipxContext, artifact: PipxArtifact): Promise<string> {
  const path = posix.join(wheelFolder(context, artifact), "requirements.txt");
  await context.host.writeFile(path, await context.content.backendFile(artifact.requirements));
  return path;
}

/**
 * Where pipx may put things: all of an installation below its own folder, so that the user's own pipx does not notice,
 * and removing the folder removes the installation.
 */
function pipxVariables(context: PipxContext, artifact: PipxArtifact, home: string): Record<string, string> {
  return {
    PIPX_HOME: home,
    PIPX_BIN_DIR: posix.join(home, "bin"),
    PIPX_MAN_DIR: posix.join(home, "man"),
    PIPX_COMPLETION_DIR: posix.join(home, "completions"),
    PIPX_SHARED_LIBS: posix.join(dataPaths(context.dataDir).tools, "pipx-shared"),
    PIPX_DISABLE_SHARED_LIBS_AUTO_UPGRADE: "1",
    PIPX_DEFAULT_BACKEND: "pip",
    PIPX_USE_EMOJI: "0",
    USE_EMOJI: "0",
    PIP_NO_INDEX: "1",
    // pip splits the value at blanks, which a URL does not have.
    PIP_FIND_LINKS: pathToFileURL(wheelFolder(context, artifact)).href,
    PIP_DISABLE_PIP_VERSION_CHECK: "1",
  };
}

/** Where the wheels of requirements lie. One requirement may have another wheel for another Python. */
export function wheelFolder(
  { dataDir, pythonTag }: Pick<PipxContext, "dataDir" | "pythonTag">,
  { requirements }: Pick<PipxArtifact, "requirements">,
): string {
  return posix.join(dataPaths(dataDir).cache, "wheels", `${requirements.sha256}-${pythonTag}`);
}

/** Tells that all of them are there. */
export function completeMark(
  context: Pick<PipxContext, "dataDir" | "pythonTag">,
  artifact: Pick<PipxArtifact, "requirements">,
): string {
  return posix.join(wheelFolder(context, artifact), "complete");
}

function launcherName(artifact: PipxArtifact): string {
  return artifact.launcher === undefined ? artifact.package : `berth-${artifact.backend}`;
}

function subjectOf({ host }: Pick<PipxContext, "host">, { backend, version }: PipxArtifact): string {
  return `host ${host.name}: ${backend} ${version}`;
}

const refusals =
  /do not match the hashes|expected sha256|no matching distribution|could not find a version|is invalid|bad ?zip ?file/i;

/** Whether pip found no whole wheel where it was to take them from. */
function isRefusal(error: unknown): boolean {
  return error instanceof BerthError && error.code === "install-failed" && refusals.test(error.parts.detail ?? "");
}

function pipxFailure(result: RunResult, subject: string, what: string): BerthError {
  return new BerthError("install-failed", {
    where: subject,
    what,
    got: `exit code ${result.exitCode}`,
    detail: lastLines(`${result.stdout}\n${result.stderr}`, 15),
  });
}
