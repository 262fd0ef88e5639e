/** The ports of what instances have on other hosts. Pure. */
import { digest } from "../lib/canonical.js";
import { lookUp } from "../lib/record.js";
import type { LockedDeployment, PlacedSubordinate } from "../schema/lock.js";
import { knownHost } from "./host-choice.js";
import { claimsOfOthers, machineOf, type PortProblem } from "./port-placement.js";
import { assignPorts, takenPort, type PortRequest } from "./ports.js";
import type { PreviousPart } from "./replica-problem.js";

/** One subordinate of a replica. */
export interface SubordinateRequest {
  readonly instance: string;
  readonly deployment: string;
  readonly host: string;
  readonly devices: readonly string[];
  /** What it is in the replica's Ray cluster; left out for an RPC server. */
  readonly ray?: "head" | "member" | undefined;
  /** What all of its cluster have, in one word: a cluster stays while that is the same. */
  readonly cluster?: string | undefined;
  /** Whether something stands before its server, which then has a port of its own. */
  readonly isGuarded: boolean;
}

export type SubordinatePorts = Pick<PlacedSubordinate, "port" | "serverPort">;

export interface SubordinatePortProblem extends PortProblem {
  readonly release?: Readonly<Record<string, LockedDeployment>>;
  /** The releases of the placement before. */
  readonly releaseBefore?: Readonly<Record<string, LockedDeployment>> | undefined;
}

/**
 * Ports for each subordinate, in the order of the requests. It keeps them while it is the same. One with another engine
 * or other devices stands beside the one before until the primary has changed, so it gets others. Of a Ray cluster all
 * get others when one of them is another: its nodes belong to one head.
 *
 * @param taken what others have got already
 */
export function placeSubordinatePorts(
  problem: SubordinatePortProblem,
  requests: readonly SubordinateRequest[],
  taken: ReadonlySet<string>,
): SubordinatePorts[] {
  if (requests.length === 0) return [];
  const all = requests.flatMap((request, order) => portRequests(problem, request, order));
  const leaving = requests.flatMap((request) => {
    const { before, isKept } = beforeOf(problem, request);
    const ports = before === undefined || isKept ? [] : [before.port, before.serverPort ?? before.port];
    return ports.map((port) => takenPort(machineOf(problem.stack.hosts[request.host]), port));
  });
  const assigned = assignPorts(all, new Set([...taken, ...leaving]));
  const portOf = (request: SubordinateRequest, what: string) => assigned.get(nameOf(request, what)) ?? 0;
  return requests.map((request) => ({
    port: portOf(request, outer),
    ...(request.isGuarded ? { serverPort: portOf(request, inner) } : {}),
  }));
}

const outer = "port";
const inner = "port of its server";

function nameOf({ instance, host }: SubordinateRequest, what: string): string {
  return `${instance} on ${host}, ${what}`;
}

function portRequests(problem: SubordinatePortProblem, request: SubordinateRequest, order: number): PortRequest[] {
  const { stack, hosts } = problem;
  const { host, deployment, isGuarded } = request;
  const { before, isKept } = beforeOf(problem, request);
  const common = {
    ...{ order, deployment, host, machine: machineOf(stack.hosts[host]), asked: undefined },
    range: stack.hosts[host]?.portRange ?? ([1, 0] as const),
    listening: knownHost(hosts, host).usage.listeningPorts,
    claims: claimsOfOthers(problem, host, undefined),
  };
  const wanted: [string, number | undefined][] = [[outer, before?.port]];
  if (isGuarded) wanted.push([inner, before?.serverPort]);
  return wanted.map(([what, port]) => ({ ...common, name: nameOf(request, what), before: isKept ? port : undefined }));
}

function beforeOf(
  { previous, release = {}, releaseBefore = {} }: SubordinatePortProblem,
  { instance, deployment, host, devices, ray, cluster, isGuarded }: SubordinateRequest,
): { readonly before: PlacedSubordinate | undefined; readonly isKept: boolean } {
  const placed = lookUp(previous?.instances ?? {}, instance);
  const before = placed?.subordinates?.find((each) => each.host === host);
  const [old, now] = [lookUp(releaseBefore, deployment), lookUp(release, deployment)];
  if (placed === undefined || before === undefined || old === undefined || now === undefined)
    return { before, isKept: false };
  const isSame =
    engineOf(old) === engineOf(now) &&
    before.devices.join() === devices.join() &&
    before.ray === ray &&
    (cluster === undefined || clusterOf(placed) === cluster) &&
    (before.serverPort !== undefined) === isGuarded;
  return { before, isKept: isSame };
}

/** Hosts and devices of the nodes, the head's those of the instance. */
export function clusterOf({ host, devices, subordinates = [] }: ClusterParts): string {
  const members = subordinates.filter(({ ray }) => ray !== "head");
  return [{ host, devices }, ...members].map((node) => [node.host, ...node.devices].join(" ")).join(" + ");
}

interface ClusterParts {
  readonly host: string;
  readonly devices: readonly string[];
  readonly subordinates?: readonly PreviousPart[] | undefined;
}

function engineOf({ backend, backendVersion, install, distributed, env }: LockedDeployment): string {
  return digest([{ backend, backendVersion, install, env }, distributed ?? {}]);
}
