/** Which updates have the new runner beside the old one. Pure. */
import { BerthError } from "../lib/errors.js";
import { formatBytes } from "../lib/format.js";
import type { HostFacts } from "../schema/facts.js";
import type { DeploymentEntry, HostEntry } from "../schema/stack.js";

/** The replicas of a deployment on one host. */
export interface Rollout {
  readonly deployment: string;
  readonly entry: Pick<DeploymentEntry, "update" | "resources">;
  readonly host: string;
  /** How many there are. */
  readonly replicas: number;
  /** What the stack says of the host's gateway. */
  readonly gateway: HostEntry["gateway"];
  readonly facts: Pick<HostFacts, "haproxy" | "ramBytes" | "accelerators">;
  /** Whether its last placement had two runners in an update. */
  readonly before: boolean;
}

/** The oldest HAProxy whose master answers all that a gateway asks. */
const leastVersion = [2, 4] as const;

interface Memory {
  readonly ram: number;
  readonly vram: number;
}

/**
 * Those whose updates are blue/green: those that ask for it, then, while the memory of their host is enough for as many
 * more runners of each as an update has at a time, those that tell what they need. What was so before comes first. Where nothing tells that
 * both runners fit, they do not.
 *
 * @throws BerthError when what a deployment asks for is not possible
 */
export function chooseBlueGreen(rollouts: readonly Rollout[]): ReadonlySet<Rollout> {
  const chosen = new Set<Rollout>();
  const used = new Map<string, Memory>();
  const take = ({ host }: Rollout, need: Memory) => {
    used.set(host, add(used.get(host), need));
  };
  for (const rollout of rollouts) take(rollout, times(needOf(rollout), rollout.replicas));
  for (const rollout of rollouts.toSorted(byPrecedence)) {
    const { host, entry, facts, replicas } = rollout;
    const surge = times(needOf(rollout), Math.min(replicas, entry.update.maxSurge));
    const both = add(used.get(host), surge);
    const fits = isWithin(both, capacityOf(facts));
    if (entry.update.strategy === "recreate") continue;
    if (entry.update.strategy === "blueGreen") assertPossible(rollout, fits ? undefined : both);
    else if (!tellsNeed(rollout) || !fits || findHaproxy(rollout) === undefined) continue;
    chosen.add(rollout);
    take(rollout, surge);
  }
  return chosen;
}

/** The executable of a host's gateway; undefined where the stack wants none, or there is none that will do. */
export function findHaproxy({ gateway, facts }: Pick<Rollout, "gateway" | "facts">): string | undefined {
  if (gateway === "none" || facts.haproxy === undefined) return undefined;
  return isRecent(facts.haproxy.version) ? facts.haproxy.path : undefined;
}

/** @throws BerthError where the stack insists on a gateway and the host has no program for it */
export function assertGateway({ gateway, facts }: Pick<Rollout, "gateway" | "facts">, where: string): void {
  if (gateway !== "haproxy" || findHaproxy({ gateway, facts }) !== undefined) return;
  throw noHaproxy(where, facts, "leave `gateway` out");
}

function assertPossible(rollout: Rollout, tooMuch: Memory | undefined): void {
  const { deployment, host, gateway, facts } = rollout;
  const where = `deployment ${deployment}`;
  if (gateway === "none") {
    throw new BerthError("stack-inconsistent", {
      where,
      what: "an update of the strategy blueGreen needs a gateway, which its host is not to have",
      got: `gateway: none of host ${host}`,
      hint: "leave one of them out",
    });
  }
  if (findHaproxy(rollout) === undefined) throw noHaproxy(`${where} on host ${host}`, facts, "leave `strategy` out");
  if (tooMuch === undefined) return;
  const capacity = capacityOf(facts);
  throw new BerthError("stack-inconsistent", {
    where,
    what: `by its \`resources\` host ${host} has not enough memory for two runners${rollout.replicas === 1 ? "" : " of each replica that is updated at a time"}`,
    got: `${describe(tooMuch)} with the other deployments of the host`,
    expected: `at most ${describe(capacity)}`,
    hint: "leave `strategy` out, or correct `resources`",
  });
}

function noHaproxy(where: string, { haproxy }: Rollout["facts"], otherwise: string): BerthError {
  return new BerthError("host-unsuitable", {
    where,
    what: "the host has no HAProxy that can be its gateway",
    got: haproxy === undefined ? "none" : `${haproxy.path} ${haproxy.version}`,
    expected: `HAProxy ${leastVersion.join(".")} or later`,
    hint: `install the package \`haproxy\` there and lock again, or ${otherwise}; updates then stop the old runner first`,
  });
}

function isRecent(version: string): boolean {
  const [, major = "0", minor = "0"] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  const [leastMajor, leastMinor] = leastVersion;
  return Number(major) > leastMajor || (Number(major) === leastMajor && Number(minor) >= leastMinor);
}

function byPrecedence(a: Rollout, b: Rollout): number {
  const rank = ({ entry, before }: Rollout) => (entry.update.strategy === "blueGreen" ? 0 : before ? 1 : 2);
  return rank(a) - rank(b) || (nameOf(a) < nameOf(b) ? -1 : 1);
}

/** Names have no blanks. */
function nameOf({ deployment, host }: Rollout): string {
  return `${deployment} ${host}`;
}

/** Whether what runs on a host has no memory but the host's own. */
function sharesRam({ accelerators }: Rollout["facts"]): boolean {
  return accelerators.every(({ unifiedMemory }) => unifiedMemory === true);
}

function tellsNeed({ entry: { resources = {} }, facts }: Rollout): boolean {
  return resources.vramBytes !== undefined || (sharesRam(facts) && resources.ramBytes !== undefined);
}

function needOf({ entry: { resources = {} }, facts }: Rollout): Memory {
  const { ramBytes = 0, vramBytes = 0 } = resources;
  return sharesRam(facts) ? { ram: ramBytes + vramBytes, vram: 0 } : { ram: ramBytes, vram: vramBytes };
}

/** Until devices are chosen, all of a host's runners may meet on any one of its accelerators. */
function capacityOf({ ramBytes, accelerators }: Rollout["facts"]): Memory {
  const memories = accelerators.map(({ memoryBytes }) => memoryBytes);
  return { ram: ramBytes, vram: memories.length === 0 ? 0 : Math.min(...memories) };
}

function add(a: Memory = { ram: 0, vram: 0 }, b: Memory): Memory {
  return { ram: a.ram + b.ram, vram: a.vram + b.vram };
}

function times({ ram, vram }: Memory, count: number): Memory {
  return { ram: ram * count, vram: vram * count };
}

function isWithin(need: Memory, capacity: Memory): boolean {
  return need.ram <= capacity.ram && need.vram <= capacity.vram;
}

function describe({ ram, vram }: Memory): string {
  return vram === 0
    ? `${formatBytes(ram)} of memory`
    : `${formatBytes(ram)} of memory, ${formatBytes(vram)} of an accelerator's`;
}
