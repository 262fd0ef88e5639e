import { posix } from "node:path";

import type { Host } from "../host/host.js";
import { dataPaths } from "../host/paths.js";
import { sha256 } from "../lib/canonical.js";
import { BerthError, systemCode } from "../lib/errors.js";
import { diskFull } from "../host/download-failure.js";
import { lastLines } from "../lib/format.js";
import type { Serial } from "../lib/serial.js";
import { parsePythonRange, takesPython } from "../schema/python-range.js";
import type { Content } from "./content.js";
import { runPip } from "./pip.js";

/** What Berth itself needs of Python on a host; each in an environment of its own, locked by hashes. */
export type PythonTool = "pip" | "pipx" | "supervisor" | "uv";

/** An environment with pip takes half of it. */
const leastFreeBytes = 50_000_000;

export interface PythonContext {
  readonly host: Host;
  readonly dataDir: string;
  /** The host's Python 3.10 or later. */
  readonly python: string;
  readonly content: Content;
  /** Keeps two resources from making one environment at the same time. */
  readonly serial: Serial;
  readonly indexUrl?: string | undefined;
  readonly signal?: AbortSignal;
}

/** For what needs Python only sometimes. */
export type LazyPythonContext = Omit<PythonContext, "python"> & { readonly python: () => Promise<string> };

/**
 * The `bin` folder of a tool's environment, which is made when it is missing. An environment counts only with the
 * file that is written last, so one that a kill left half-made is made anew. Its name holds the digest of what is in
 * it: a new version of a tool stands beside the old one.
 */
export function ensurePythonTool(context: PythonContext, tool: PythonTool): Promise<string> {
  return context.serial.run(`${context.dataDir} ${tool}`, () => makePythonTool(context, tool));
}

async function makePythonTool(context: PythonContext, tool: PythonTool): Promise<string> {
  const { host, content, dataDir } = context;
  const requirements = await content.pythonTool(`${tool}.txt`);
  const folder = posix.join(
    dataPaths(dataDir).tools,
    `${tool}-${sha256(`${context.python}\n${requirements}`).slice(0, 12)}`,
  );
  const complete = posix.join(folder, "complete");
  const bin = posix.join(folder, "bin");
  if ((await host.status(complete)) !== undefined) return bin;

  await host.remove(folder);
  // venv does not say that the disk was full.
  if ((await host.freeBytes(dataDir)) < leastFreeBytes) throw diskFull(folder);
  const own = tool === "pip";
  const installer = own ? posix.join(bin, "python") : posix.join(await ensurePythonTool(context, "pip"), "python");
  await makeEnvironment(context, folder, own ? [] : ["--without-pip"]);
  const list = posix.join(folder, "requirements.txt");
  await host.writeFile(list, requirements);
  const target = own ? [] : ["--python", posix.join(bin, "python")];
  const wheels = toolWheels(dataDir, sha256(requirements));
  const isBrought = (await host.status(posix.join(wheels, "complete"))) !== undefined;
  const source = isBrought ? ["--no-index", "--find-links", wheels] : [];
  const hashed = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement", list];
  await runPip(host, installer, [...target, "install", "--quiet", ...source, ...hashed], {
    subject: `host ${host.name}: Berth's own ${tool}`,
    indexUrl: isBrought ? undefined : context.indexUrl,
    ...(context.signal === undefined ? {} : { signal: context.signal }),
  });
  await host.writeFile(complete, "");
  return bin;
}

/** Where wheels of a tool lie that were brought to a host, with a file `complete`; then no index is asked for them. */
export function toolWheels(dataDir: string, requirementsSha256: string): string {
  return posix.join(dataPaths(dataDir).cache, "wheels", `${requirementsSha256}-tool`);
}

export interface HostPython {
  readonly host: Host;
  readonly dataDir: string;
  /** What is found now. Searching takes a while, so it is done only where none is recorded. */
  readonly find: () => Promise<{ path: string } | undefined>;
}

/** The Python that Berth works with on a host, or would; changes nothing. */
export async function findHostPython({ host, dataDir, find }: HostPython): Promise<string | undefined> {
  const recorded = (await host.readText(pythonRecord(dataDir)))?.trim();
  return recorded !== undefined && (await host.status(recorded)) !== undefined ? recorded : (await find())?.path;
}

/**
 * The Python that Berth works with on a host. The first one found is written down and stays while it is there, so
 * that shells with another PATH do not find other things out of place.
 */
export async function hostPython(context: HostPython & { serial: Serial }): Promise<string> {
  const { host, dataDir, serial } = context;
  const record = pythonRecord(dataDir);
  return serial.run(record, async () => {
    const python = await findHostPython(context);
    if (python === undefined) throw noPython(host);
    if ((await host.readText(record))?.trim() !== python) await host.writeFile(record, `${python}\n`);
    return python;
  });
}

function pythonRecord(dataDir: string): string {
  return posix.join(dataPaths(dataDir).tools, "python");
}

/** Which wheels a Python takes, as part of a file name: `cpython-311-linux-x86_64`. */
export async function pythonTag(host: Host, python: string): Promise<string> {
  const program = "import sys, sysconfig; print(sys.implementation.cache_tag, sysconfig.get_platform(), sep='-')";
  return askPython(host, python, program);
}

/**
 * Throws `host-unsuitable` when a Python is not one that a range takes, such as `>=3.10 <3.13`, and `file-invalid` for a
 * text that is no range.
 */
export function assertPython(found: { path: string; version: string }, wanted: string, subject: string): void {
  const range = parsePythonRange(wanted);
  if (range === undefined) {
    throw new BerthError("file-invalid", {
      where: subject,
      what: "this is no constraint on the version of Python",
      got: wanted,
      expected: "comparisons, such as >=3.10 <3.13",
    });
  }
  if (takesPython(range, found.version)) return;
  throw new BerthError("host-unsuitable", {
    where: subject,
    what: "the host's Python is not one that the package works with",
    got: `Python ${found.version} (${found.path})`,
    expected: `Python ${wanted}`,
    hint: "install such a Python on the host, or choose a version of the backend that works with this one",
  });
}

/** A Python's own version, such as `3.11.2`. */
export async function pythonVersion(host: Host, python: string): Promise<string> {
  return askPython(host, python, "import platform; print(platform.python_version())");
}

async function askPython(host: Host, python: string, program: string): Promise<string> {
  const result = await host.run([python, "-I", "-c", program], { timeoutSeconds: 60 });
  if (result.exitCode === 0) return result.stdout.trim();
  throw new BerthError("host-unsuitable", {
    where: `host ${host.name}`,
    what: "Python does not work",
    got: `${python}: exit code ${result.exitCode}`,
    hint: "repair this Python, or remove it so that another one is found",
    detail: lastLines(result.stderr, 10),
  });
}

function noPython(host: Host): BerthError {
  return new BerthError("host-unsuitable", {
    where: `host ${host.name}`,
    what: "no suitable Python was found",
    expected: "Python 3.10 or later with its venv and ensurepip modules on PATH",
    hint: "install it (Debian and Ubuntu: apt-get install python3-venv; macOS: brew install python)",
  });
}

async function makeEnvironment({ host, python }: PythonContext, folder: string, options: string[]): Promise<void> {
  const result = await host.run([python, "-m", "venv", ...options, folder], { timeoutSeconds: 120 });
  if (result.exitCode === 0) return;
  if (/no space left/i.test(result.stderr + result.stdout)) throw diskFull(folder);
  throw new BerthError("install-failed", {
    where: `host ${host.name}`,
    what: `${python} -m venv failed`,
    got: `exit code ${result.exitCode}`,
    hint: "check that this Python has the venv module (Debian and Ubuntu: apt-get install python3-venv)",
    detail: lastLines(result.stderr === "" ? result.stdout : result.stderr, 10),
  });
}

/** Runs one of Berth's Python scripts on the host with a JSON request; returns what it printed. */
export async function runPythonScript(
  context: PythonContext,
  script: string,
  request: unknown,
  options: { subject: string; onLine?: (line: string) => void },
): Promise<string> {
  const { host, content, dataDir, python } = context;
  const source = await content.pythonTool(script);
  const path = posix.join(dataPaths(dataDir).tools, `${sha256(source).slice(0, 12)}-${script}`);
  if ((await host.status(path)) === undefined) await writeScript(host, path, source);
  const result = await host.run([python, "-I", path], {
    input: JSON.stringify(request),
    ...(options.onLine === undefined ? {} : { onLine: options.onLine }),
    ...(context.signal === undefined ? {} : { signal: context.signal }),
  });
  if (result.exitCode === 0) return result.stdout;
  if (/errno 28|no space left/i.test(result.stderr)) throw diskFull(dataDir);
  throw new BerthError("command-failed", {
    where: options.subject,
    what: `${script} failed`,
    got: `exit code ${result.exitCode}`,
    detail: lastLines(result.stderr, 10),
  });
}

async function writeScript(host: Host, path: string, source: string): Promise<void> {
  try {
    await host.writeFile(path, source);
  } catch (error) {
    throw systemCode(error) === "ENOSPC" ? diskFull(path) : error;
  }
}
