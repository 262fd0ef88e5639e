import { posix } from "node:path";

import { BerthError } from "../lib/errors.js";
import type { AcceleratorUsage, HostFacts, HostUsage, HostWarning } from "../schema/facts.js";
import { nameOwners, readParents } from "./accelerators/owners.js";
import { findAccelerators } from "./accelerators/search.js";
import { findContainerEngine } from "./container-engine.js";
import type { Host, RunResult } from "./host.js";

const toolSeconds = 15;
const pythonCandidates = ["python3.13", "python3.12", "python3.11", "python3.10", "python3", "python"];
/** Prints what Berth needs to know of a Python; fails where venv or ensurepip is missing (Debian splits them off). */
const pythonProbe = `
import ensurepip, json, platform, shutil, sys, venv
assert sys.version_info >= (3, 10)
print(json.dumps({"path": sys.executable, "version": platform.python_version(), "pipx": shutil.which("pipx")}))
`;

/** What one look at a host found. */
export interface HostSighting {
  /** Only what stays the same between two looks. */
  readonly facts: HostFacts;
  readonly usage: HostUsage;
  readonly warnings: readonly HostWarning[];
}

export interface GatherOptions {
  /** It need not exist yet. */
  readonly dataDir?: string | undefined;
  /** Process ids of Berth's runners on the host, to the instances they run; asked only when accelerators are in use. */
  readonly findRunners?: (facts: HostFacts) => Promise<ReadonlyMap<number, string>>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Gathers all that is known of a host. A tool that hangs, fails or is not understood costs its deadline once and is a
 * warning.
 *
 * @throws BerthError `host-unsuitable` for a system that Berth does not run models on, `command-failed` when one of the
 *   system's own commands fails
 */
export async function gatherHost(host: Host, { dataDir, findRunners, signal }: GatherOptions): Promise<HostSighting> {
  const { system, engine, found } = await gather(host, dataDir, signal);
  const { containerEngine, warnings } = engine;
  const facts: HostFacts = {
    ...system,
    ...(containerEngine === undefined ? {} : { containerEngine }),
    accelerators: [...found.accelerators],
  };
  const accelerators = await findOwners(host, found.usage, () => findRunners?.(facts) ?? Promise.resolve(new Map()));
  const ports = await findListeningPorts(host);
  const usage: HostUsage =
    accelerators.length === 0 ? { listeningPorts: ports } : { listeningPorts: ports, accelerators };
  const about = (subject: HostWarning["subject"]) => (text: string) => ({ subject, text });
  return {
    facts,
    usage,
    warnings: [...warnings.map(about("containerEngine")), ...found.warnings.map(about("accelerators"))],
  };
}

/** Gathers what a host is: only what stays the same. `dataDir` need not exist yet. */
export async function gatherFacts(host: Host, dataDir: string | undefined): Promise<HostFacts> {
  const { system, engine, found } = await gather(host, dataDir, undefined);
  const { containerEngine } = engine;
  return {
    ...system,
    ...(containerEngine === undefined ? {} : { containerEngine }),
    accelerators: [...found.accelerators],
  };
}

async function gather(host: Host, dataDir: string | undefined, signal: AbortSignal | undefined) {
  const system = await gatherSystem(host, dataDir);
  const [engine, found] = await Promise.all([
    findContainerEngine(host),
    findAccelerators(host, { ramBytes: system.ramBytes, signal }),
  ]);
  return { system, engine, found };
}

async function findOwners(
  host: Host,
  usage: readonly AcceleratorUsage[],
  findRunners: () => Promise<ReadonlyMap<number, string>>,
): Promise<AcceleratorUsage[]> {
  if (!usage.some(({ processes = [] }) => processes.length > 0)) return [...usage];
  const runners = await findRunners();
  if (runners.size === 0) return [...usage];
  const table = await attempt(host, ["ps", "-axo", "pid=,ppid="]);
  return nameOwners(usage, runners, readParents(table?.exitCode === 0 ? table.stdout : ""));
}

/** What of a host has nothing to do with containers and accelerators. */
async function gatherSystem(host: Host, dataDir: string | undefined): Promise<Omit<HostFacts, "accelerators">> {
  const [system, kernel, architecture] = (await output(host, ["uname", "-srm"])).split(" ");
  const os = system === "Linux" ? "linux" : system === "Darwin" ? "darwin" : undefined;
  const arch =
    architecture === "x86_64" ? "x64" : architecture === "aarch64" || architecture === "arm64" ? "arm64" : undefined;
  if (os === undefined || arch === undefined) {
    throw new BerthError("host-unsuitable", {
      where: `host ${host.name}`,
      what: "Berth does not run models on this system",
      got: `${system ?? "?"} ${architecture ?? "?"}`,
      expected: "Linux or macOS on x86-64 or 64-bit Arm",
    });
  }
  const user = await output(host, ["id", "-un"]);
  const home = await output(host, ["printenv", "HOME"]);
  const python = await findPython(host);
  return {
    os,
    distribution:
      os === "linux"
        ? parseOsRelease(await host.readText("/etc/os-release"))
        : `macOS ${await output(host, ["sw_vers", "-productVersion"])}`,
    ...(kernel === undefined ? {} : { kernel }),
    arch,
    cpus: Number(await output(host, ["getconf", "_NPROCESSORS_ONLN"])),
    ramBytes:
      os === "linux"
        ? parseMemInfo(await host.readText("/proc/meminfo"))
        : Number(await output(host, ["sysctl", "-n", "hw.memsize"])),
    diskBytes: parseDf(await output(host, ["df", "-Pk", await nearestFolder(host, dataDir ?? home)])),
    user,
    home,
    initSystem: await findInitSystem(host, user),
    ...(python === undefined ? {} : { python: python.python }),
    ...(python?.pipx === undefined ? {} : { pipx: python.pipx }),
  };
}

async function findListeningPorts(host: Host): Promise<number[]> {
  return [...(await host.listeningPorts())].sort((a, b) => a - b);
}

/** Where Berth keeps its things when the stack does not say: by the custom of the system, for root and for others. */
export function defaultDataDir(facts: Pick<HostFacts, "user" | "home">): string {
  return facts.user === "root" ? "/var/lib/berth" : posix.join(facts.home, ".local/share/berth");
}

async function findPython(
  host: Host,
): Promise<{ python: { path: string; version: string }; pipx?: { path: string; version: string } } | undefined> {
  for (const candidate of pythonCandidates) {
    const probe = await attempt(host, [candidate, "-I", "-c", pythonProbe]);
    if (probe?.exitCode !== 0) continue;
    const { path, version, pipx } = JSON.parse(probe.stdout) as { path: string; version: string; pipx: string | null };
    if (pipx === null) return { python: { path, version } };
    const answer = await attempt(host, [pipx, "--version"]);
    if (answer?.exitCode !== 0) return { python: { path, version } };
    return { python: { path, version }, pipx: { path: pipx, version: answer.stdout.trim() } };
  }
  return undefined;
}

async function findInitSystem(host: Host, user: string): Promise<HostFacts["initSystem"]> {
  if ((await host.status("/run/systemd/system")) === undefined) return "other";
  if (user === "root") return "systemd";
  const manager = await attempt(host, ["systemctl", "--user", "is-system-running"]);
  return manager !== undefined && /^(running|degraded|starting)$/.test(manager.stdout.trim())
    ? "systemd-user"
    : "other";
}

export function parseOsRelease(text = ""): string {
  const pretty = /^PRETTY_NAME=(.*)$/m.exec(text)?.[1];
  return pretty?.replace(/^["']|["']$/g, "") ?? "unknown";
}

export function parseMemInfo(text = ""): number {
  return Number(/^MemTotal:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}

/** Size in bytes of the file system that `df -Pk` tells of. */
export function parseDf(text: string): number {
  // A file system's name and a mount point may hold blanks; the four fields between them do not.
  return Number(/\s(\d+)\s+-?\d+\s+-?\d+\s+(?:\d+%|-)\s+\/.*$/.exec(text.trimEnd())?.[1] ?? 0) * 1024;
}

async function nearestFolder(host: Host, path: string): Promise<string> {
  let folder = path;
  while (folder !== "/" && (await host.status(folder))?.kind !== "directory") folder = posix.dirname(folder);
  return folder;
}

async function attempt(host: Host, argv: [string, ...string[]]): Promise<RunResult | undefined> {
  const result = await host.run(argv, { timeoutSeconds: toolSeconds });
  return result.exitCode === 127 ? undefined : result;
}

async function output(host: Host, argv: [string, ...string[]]): Promise<string> {
  const result = await host.run(argv, { timeoutSeconds: toolSeconds });
  if (result.exitCode === 0) return result.stdout.trim();
  throw new BerthError("command-failed", {
    where: `host ${host.name}`,
    what: `${argv.join(" ")} failed`,
    got: `exit code ${result.exitCode}`,
    detail: result.stderr,
  });
}
