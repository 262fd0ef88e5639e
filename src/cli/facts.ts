import { resolve } from "node:path";

import { defaultDataDir, gatherHost } from "../host/facts.js";
import type { Host } from "../host/host.js";
import { createOpenHost } from "../host/open.js";
import { withinSeconds } from "../lib/deadline.js";
import { BerthError, messageOf } from "../lib/errors.js";
import { formatBytes, formatGibibytes } from "../lib/format.js";
import { lookUp } from "../lib/record.js";
import { readProject } from "../lock/project.js";
import { readDeclaredDevices } from "../lock/runner-files.js";
import { deriveLabels } from "../planner/labels.js";
import { lookAtDocker } from "../runtime/docker-sight.js";
import { findRunners } from "../runtime/runner-processes.js";
import type { DeclaredType } from "../schema/declared-devices.js";
import type { Accelerator, AcceleratorUsage, HostFacts, HostReport } from "../schema/facts.js";
import { connectionOf } from "../schema/hosts.js";
import type { HostEntry, StackFile } from "../schema/stack.js";
import { plainTable } from "./table.js";
import { chooseStack, packageRoot, stackFileOf, type Workplace } from "./workplace.js";

/** All that is asked of one host, tools that hang included, takes less. */
const hostSeconds = 90;

export interface FactsOptions {
  stack?: string;
  json?: boolean;
}

/** Every host that was asked for, by its name. */
export type FactsReport = Readonly<Record<string, HostReport>>;

/**
 * Shows what is known of the hosts of a stack. Hosts are asked at once; one that does not answer is told of, and the
 * others go on.
 */
export async function facts(workplace: Workplace, named: readonly string[], options: FactsOptions): Promise<void> {
  const { root } = workplace;
  const stack = await chooseStack(workplace, options.stack);
  const project = readProject(root, stackFileOf(root, stack), packageRoot, { stackName: stack });
  const report = await lookAtHosts(workplace, chooseHosts(project.stack, named));
  workplace.print(options.json === true ? JSON.stringify(report, undefined, 2) : formatFacts(report));
  const reports = Object.entries(report);
  const lost = reports.filter(([, { reachable }]) => !reachable).map(([name]) => name);
  if (lost.length === 0) return;
  throw new BerthError("command-failed", {
    what: `${lost.length} of ${reports.length} hosts could not be looked at`,
    got: lost.join(", "),
  });
}

/** Asks hosts at once; one that does not answer is told of, and the others go on. */
export async function lookAtHosts(
  { root, environment }: Workplace,
  hosts: readonly (readonly [string, HostEntry])[],
): Promise<FactsReport> {
  const openHost = createOpenHost({ environment, projectRoot: root });
  const declared = readDeclaredDevices(root, packageRoot);
  const reports = await Promise.all(
    hosts.map(async ([name, entry]) => {
      const look = (signal: AbortSignal) =>
        lookAt(openHost({ name, ...connectionOf(entry) }), { root, declared }, entry, signal);
      return [name, await reportOn(look, hostSeconds)] as const;
    }),
  );
  return Object.fromEntries(reports);
}

/** Hosts of a stack by their names; all when none is named. */
export function chooseHosts({ hosts }: StackFile, named: readonly string[]): [string, HostEntry][] {
  if (named.length === 0) return Object.entries(hosts);
  return [...new Set(named)].map((name) => {
    const entry = lookUp(hosts, name);
    if (entry !== undefined) return [name, entry];
    throw new BerthError("usage", {
      what: "the stack has no such host",
      got: name,
      expected: Object.keys(hosts).sort().join(", "),
    });
  });
}

interface LookOptions {
  readonly root: string;
  readonly declared: readonly DeclaredType[];
}

async function lookAt(
  host: Host,
  { root, declared }: LookOptions,
  entry: HostEntry,
  signal: AbortSignal,
): Promise<HostReport> {
  const dataDir = entry.dataDir === undefined ? undefined : resolve(root, entry.dataDir);
  const findOwn = (known: HostFacts) => findRunners(host, dataDir ?? defaultDataDir(known));
  const {
    facts: known,
    usage,
    warnings,
  } = await gatherHost(host, {
    ...{ dataDir, findRunners: findOwn, signal, lookAtDocker, declared },
  });
  const labels = { ...deriveLabels(known), ...entry.labels };
  return { reachable: true, labels, facts: known, usage, warnings: [...warnings] };
}

/** What a look at a host tells; an error, and running past the deadline, make it one that is not reachable. */
export async function reportOn(
  look: (signal: AbortSignal) => Promise<HostReport>,
  deadlineSeconds: number,
): Promise<HostReport> {
  try {
    return await withinSeconds(deadlineSeconds, look);
  } catch (error) {
    return { reachable: false, problem: messageOf(error) };
  }
}

/** The tables for people: hosts, then accelerators, then what could not be found out. */
export function formatFacts(report: FactsReport): string {
  const hosts = Object.entries(report);
  const rows = hosts.map(([name, host]) => (host.reachable ? systemRow(name, host.facts, host.labels) : lostRow(name)));
  const devices = hosts.flatMap(([name, host]) =>
    host.reachable
      ? host.facts.accelerators.flatMap((device) => deviceRows(name, device, host.usage.accelerators))
      : [],
  );
  const notes = hosts.flatMap(([name, host]) =>
    host.reachable
      ? host.warnings.map(({ text }) => `warning: ${name}: ${text}`)
      : [`not reached: ${name}: ${host.problem}`],
  );
  return [
    plainTable(["HOST", "SYSTEM", "CPUS", "RAM", "DISK", "PYTHON", "PIPX", "CONTAINERS", "INIT", "LABELS"], rows),
    ...(devices.length === 0 ? [] : ["", plainTable(deviceHead, devices)]),
    ...(notes.length === 0 ? [] : ["", ...notes]),
  ].join("\n");
}

function lostRow(name: string): string[] {
  return [name, "not reached", ...new Array<string>(8).fill("-")];
}

function systemRow(name: string, host: HostFacts, labels: Readonly<Record<string, string>>): string[] {
  const { distribution, kernel, arch, cpus, ramBytes, diskBytes, python, pipx, containerEngine, initSystem } = host;
  const engine = containerEngine === undefined ? "-" : `${containerEngine.engine} ${containerEngine.version}`;
  return [
    name,
    `${distribution}\n${kernel === undefined ? "" : `kernel ${kernel}, `}${arch}`,
    String(cpus),
    formatBytes(ramBytes),
    formatBytes(diskBytes),
    python?.version ?? "-",
    pipx?.version ?? "-",
    engine,
    initSystem,
    Object.entries(labels)
      .map(([label, value]) => `${label}=${value}`)
      .join("\n"),
  ];
}

const deviceHead = ["HOST", "DEVICE", "TYPE", "NAME", "MEMORY", "USED", "BY", "DRIVER", "RUNTIME", "TARGET", "PLACE"];

/** One row for an accelerator and, where MIG is on, one for each MIG device. */
function deviceRows(host: string, device: Accelerator, usage: readonly AcceleratorUsage[] = []): string[][] {
  const { index, type, name, memoryBytes, unifiedMemory, driverVersion, runtimeVersion = "-", mig, uuid } = device;
  const target = device.computeCapability ?? device.llvmTarget ?? device.soc ?? "-";
  const useOf = (wanted: string) => useCells(usage.find((entry) => entry.uuid === wanted));
  const memory = `${memoryBytes === 0 ? "unknown" : formatGibibytes(memoryBytes)}${unifiedMemory === true ? " unified" : ""}`;
  const own = [driverVersion, runtimeVersion, target, placeOf(device)];
  const parts = (mig?.devices ?? []).map((part) => [
    host,
    `${index}/${part.index}`,
    "mig",
    part.profile ?? "MIG device",
    formatGibibytes(part.memoryBytes),
    ...useOf(part.uuid),
    "",
    "",
    "",
    "",
  ]);
  const title = mig?.mode === "enabled" ? `${name} (MIG on)` : name;
  return [[host, String(index), type, title, memory, ...useOf(uuid), ...own], ...parts];
}

/** Berth's runners by their instance, others by process id and program. */
function useCells(use: AcceleratorUsage | undefined): [used: string, by: string] {
  const used = use?.memoryUsedBytes === undefined ? "unknown" : formatGibibytes(use.memoryUsedBytes);
  if (use?.processes === undefined) return [used, "unknown"];
  const users = use.processes.map(({ instance, pid, name }) => instance ?? `foreign: ${name} (pid ${pid})`);
  return [used, users.length === 0 ? "-" : [...new Set(users)].join("\n")];
}

function placeOf({ numaNode, linkGroup, pcieGroup }: Accelerator): string {
  const parts = [
    ...(numaNode === undefined ? [] : [`numa ${numaNode}`]),
    ...(linkGroup === undefined ? [] : [`link ${linkGroup}`]),
    ...(pcieGroup === undefined ? [] : [`pcie ${pcieGroup}`]),
  ];
  return parts.length === 0 ? "-" : parts.join(", ");
}
