import { posix } from "node:path";

import pLimit from "p-limit";

import { BerthError } from "../lib/errors.js";
import type { DeclaredType } from "../schema/declared-devices.js";
import type { AcceleratorUsage, HostFacts, HostUsage, HostWarning } from "../schema/facts.js";
import { declaredDetector } from "./accelerators/declared.js";
import { detectors as nativeDetectors } from "./accelerators/detectors.js";
import { withDeviceFiles } from "./accelerators/device-files.js";
import { nameOwners, readParents } from "./accelerators/owners.js";
import { acceleratorCommands, findAccelerators } from "./accelerators/search.js";
import { findContainerEngine, type LookAtDocker } from "./container-engine.js";
import { firstLookScript, parseFirstLook, type FirstLook } from "./first-look.js";
import type { Host, RunResult } from "./host.js";

/** Long enough for a host that is very busy. */
const toolSeconds = 30;
/** sshd takes ten sessions over a connection, by default; others want some of them too. */
const commandsAtOnce = 4;
const pythonCandidates = ["python3.13", "python3.12", "python3.11", "python3.10", "python3", "python"];
/** Prints what Berth needs to know of a Python; fails where venv or ensurepip is missing (Debian splits them off). */
const pythonProbe = `
import ensurepip, json, platform, shutil, sys, venv
assert sys.version_info >= (3, 10)
print(json.dumps({"path": sys.executable, "version": platform.python_version(), "pipx": shutil.which("pipx")}))
`;

/** What is asked only where it is there. */
const knownCommands: readonly string[] = [
  ...new Set([...pythonCandidates, "docker", "podman", "systemctl", ...acceleratorCommands]),
];

/** The Python and pipx that are found, which depend on the PATH of who looks. */
export type PythonFacts = Pick<HostFacts, "python" | "pipx">;
/** What does not depend on who looks. */
export type SharedFacts = Omit<HostFacts, keyof PythonFacts>;

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
  /** Asks the engine that runs containers. Default: the commands of engines tell. */
  readonly lookAtDocker?: LookAtDocker | undefined;
  /** Types of devices that Berth's own code does not know. Default: none. */
  readonly declared?: readonly DeclaredType[] | undefined;
}

/**
 * Gathers all that is known of a host. A tool that hangs, fails or is not understood costs its deadline once and is a
 * warning.
 *
 * @throws BerthError `host-unsuitable` for a system that Berth does not run models on, `command-failed` when one of the
 *   system's own commands fails
 */
export async function gatherHost(
  host: Host,
  { dataDir, findRunners, signal, lookAtDocker, declared }: GatherOptions,
): Promise<HostSighting> {
  const sight = beginLook(host, lookAtDocker);
  const [gathered, ports] = await Promise.all([
    gather(host, { dataDir, signal, sight, declared, searchPath: true }),
    findTakenPorts(host, sight),
  ]);
  const { engine, found } = gathered;
  const facts = factsOf(gathered);
  const accelerators = await findOwners(host, found.usage, () => findRunners?.(facts) ?? Promise.resolve(new Map()));
  const usage: HostUsage =
    accelerators.length === 0 ? { listeningPorts: ports } : { listeningPorts: ports, accelerators };
  const about = (subject: HostWarning["subject"]) => (text: string) => ({ subject, text });
  return {
    facts,
    usage,
    warnings: [...engine.warnings.map(about("containerEngine")), ...found.warnings.map(about("accelerators"))],
  };
}

/** Looks for Python and pipx alone. Starting one Python after another takes longest. */
export async function gatherPython(host: Host): Promise<PythonFacts> {
  return (await findPython(presentCommands(host, await lookFirst(host)))) ?? {};
}

/** Gathers what a host is: only what stays the same, and nothing that Python would have to be started for. */
export async function gatherSharedFacts(
  host: Host,
  dataDir: string | undefined,
  { lookAtDocker, declared }: Pick<GatherOptions, "lookAtDocker" | "declared"> = {},
): Promise<SharedFacts> {
  const sight = beginLook(host, lookAtDocker);
  return factsOf(await gather(host, { dataDir, sight, declared, searchPath: false }));
}

function factsOf({ system, engine: { containerEngine }, found }: Gathered): HostFacts {
  return {
    ...system,
    ...(containerEngine === undefined ? {} : { containerEngine }),
    accelerators: [...found.accelerators],
  };
}

/** It goes on beside other looks: when one of these fails first, nobody comes to be told of its failure. */
function beginLook(host: Host, lookAtDocker: LookAtDocker | undefined): ReturnType<LookAtDocker> | undefined {
  const sight = lookAtDocker?.(host);
  sight?.catch(() => undefined);
  return sight;
}

interface Looked {
  readonly dataDir: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly sight?: ReturnType<LookAtDocker> | undefined;
  readonly declared?: readonly DeclaredType[] | undefined;
  /** Whether Python and pipx are looked for. */
  readonly searchPath: boolean;
}

type Gathered = Awaited<ReturnType<typeof gather>>;

async function gather(host: Host, { dataDir, signal, sight, declared = [], searchPath }: Looked) {
  const look = await lookFirst(host, dataDir, signal);
  const commands = presentCommands(host, look, signal);
  const detectors = [...nativeDetectors, ...declared.map(declaredDetector)];
  const [system, python, engine, found] = await Promise.all([
    gatherSystem(host, look, commands),
    searchPath ? findPython(commands) : undefined,
    sight === undefined ? findContainerEngine(commands) : sight.then((seen) => findContainerEngine(commands, seen)),
    findAccelerators(commands, { ramBytes: look.ramBytes, signal, detectors }),
  ]);
  const accelerators = await withDeviceFiles(commands, found.accelerators, declared);
  return { system: { ...system, ...python }, engine, found: { ...found, accelerators } };
}

async function lookFirst(host: Host, dataDir = "", signal?: AbortSignal): Promise<FirstLook> {
  const argv = ["/bin/sh", "-c", firstLookScript, "sh", dataDir, ...knownCommands] as const;
  const { exitCode, stdout, stderr } = await host.run(argv, { timeoutSeconds: toolSeconds, ...signalOf(signal) });
  if (exitCode === 0) return parseFirstLook(stdout);
  throw new BerthError("command-failed", {
    where: `host ${host.name}`,
    what: exitCode === 124 ? `the host's own tools do not end within ${toolSeconds} s` : "the host's own tools failed",
    got: `exit code ${exitCode}`,
    detail: stderr,
  });
}

/** Asks no more of a host at once than one connection carries, and nothing of commands that it does not have. */
function presentCommands(host: Host, { commands }: FirstLook, signal?: AbortSignal): Pick<Host, "run"> {
  const limit = pLimit(commandsAtOnce);
  return {
    async run(argv, options) {
      if (knownCommands.includes(argv[0]) && !commands.has(argv[0])) return { exitCode: 127, stdout: "", stderr: "" };
      return limit(() => host.run(argv, { ...options, ...signalOf(signal) }));
    },
  };
}

function signalOf(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
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
async function gatherSystem(
  host: Host,
  look: FirstLook,
  commands: Pick<Host, "run">,
): Promise<Omit<SharedFacts, "accelerators">> {
  const { platform, os, arch, kernel, distribution, cpus, ramBytes, diskBytes, user, home, haproxy } = look;
  if (os === undefined || arch === undefined) {
    throw new BerthError("host-unsuitable", {
      where: `host ${host.name}`,
      what: "Berth does not run models on this system",
      got: platform,
      expected: "Linux or macOS on x86-64 or 64-bit Arm",
    });
  }
  const initSystem = await findInitSystem(look, commands);
  return {
    ...{ os, distribution, ...(kernel === undefined ? {} : { kernel }), arch },
    ...{ cpus, ramBytes, diskBytes, user, home, initSystem },
    ...(haproxy === undefined ? {} : { haproxy }),
  };
}

/** An engine may lead a port into a container without listening on it (`userland-proxy: false`). */
async function findTakenPorts(host: Host, sight: ReturnType<LookAtDocker> | undefined): Promise<number[]> {
  const [listening, seen] = await Promise.all([host.listeningPorts(), sight]);
  return [...new Set([...listening, ...(seen?.publishedPorts ?? [])])].sort((a, b) => a - b);
}

/** Where Berth keeps its things when the stack does not say: by the custom of the system, for root and for others. */
export function defaultDataDir(facts: Pick<HostFacts, "user" | "home">): string {
  return facts.user === "root" ? "/var/lib/berth" : posix.join(facts.home, ".local/share/berth");
}

async function findPython(host: Pick<Host, "run">): Promise<PythonFacts | undefined> {
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

async function findInitSystem(
  { hasSystemd, user }: FirstLook,
  commands: Pick<Host, "run">,
): Promise<HostFacts["initSystem"]> {
  if (!hasSystemd) return "other";
  if (user === "root") return "systemd";
  const manager = await attempt(commands, ["systemctl", "--user", "is-system-running"]);
  return manager !== undefined && /^(running|degraded|starting)$/.test(manager.stdout.trim())
    ? "systemd-user"
    : "other";
}

async function attempt(host: Pick<Host, "run">, argv: [string, ...string[]]): Promise<RunResult | undefined> {
  const result = await host.run(argv, { timeoutSeconds: toolSeconds });
  return result.exitCode === 127 ? undefined : result;
}
