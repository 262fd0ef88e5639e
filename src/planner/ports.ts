import { BerthError } from "../lib/errors.js";

/** A replica that needs a port. */
export interface PortRequest {
  /** Of the replica, or of one of its two slots. */
  readonly name: string;
  /** Its place among the others. */
  readonly order: number;
  readonly deployment: string;
  readonly host: string;
  /** Hosts that are one machine share its ports. */
  readonly machine: string;
  /** First and last port to choose from. */
  readonly range: readonly [number, number];
  /** What the stack asks for. */
  readonly asked: number | undefined;
  /** What it had on this host before. */
  readonly before: number | undefined;
  /** What something listens on. */
  readonly listening: readonly number[];
  /** What other instances have. */
  readonly claims: readonly PortClaim[];
}

/** A port that belongs to another instance. */
export interface PortClaim {
  readonly port: number;
  readonly owner: string;
  readonly instance: string;
  /** Of another stack. Those of the same stack may be about to give it up. */
  readonly foreign: boolean;
}

/**
 * A port for each replica, by name, no port of a machine twice, and none that another stack's instance has. What the stack
 * asks for comes first; then each keeps what it had, if it is in its range; the others get the lowest free ones, in
 * their order. Pure.
 *
 * @param before ports that others have got already, as {@link takenPort} names them
 */
export function assignPorts(
  requests: readonly PortRequest[],
  before: ReadonlySet<string> = new Set(),
): ReadonlyMap<string, number> {
  const assigned = new Map<string, number>();
  const taken = new Set(before);
  const isFree = ({ machine }: PortRequest, port: number) => !taken.has(takenPort(machine, port));
  const assign = ({ name, machine }: PortRequest, port: number) => {
    taken.add(takenPort(machine, port));
    assigned.set(name, port);
  };
  const byName = requests.toSorted((a, b) => a.order - b.order || (a.name < b.name ? -1 : 1));
  for (const request of byName) {
    if (request.asked === undefined) continue;
    if (!isFree(request, request.asked)) throw portTaken(request, request.asked, byName);
    const rival = foreignClaim(request, request.asked);
    if (rival !== undefined) throw portClaimed(request, rival);
    assign(request, request.asked);
  }
  for (const request of byName) {
    const { asked, before, range } = request;
    const mayKeep = asked === undefined && before !== undefined && before >= range[0] && before <= range[1];
    if (mayKeep && isFree(request, before) && foreignClaim(request, before) === undefined) assign(request, before);
  }
  for (const request of byName) {
    if (!assigned.has(request.name))
      assign(
        request,
        findFree(request, (port) => isFree(request, port)),
      );
  }
  return assigned;
}

export function takenPort(machine: string, port: number): string {
  return `${machine} ${port}`;
}

function foreignClaim({ claims }: PortRequest, port: number): PortClaim | undefined {
  return claims.find((claim) => claim.foreign && claim.port === port);
}

function findFree(
  { deployment, host, range, listening, claims }: PortRequest,
  isFree: (port: number) => boolean,
): number {
  const [first, last] = range;
  const inUse = new Set([...listening, ...claims.map(({ port }) => port)]);
  for (let port = first; port <= last; port += 1) if (isFree(port) && !inUse.has(port)) return port;
  throw new BerthError("stack-inconsistent", {
    where: `deployment ${deployment}`,
    what: `host ${host} has no free port`,
    got: `all of ${first} to ${last} are taken`,
    expected: "a free port",
    hint: "widen the host's `portRange`",
  });
}

function portClaimed({ deployment, host }: PortRequest, { port, owner, instance }: PortClaim): BerthError {
  return new BerthError("already-claimed", {
    where: `deployment ${deployment}`,
    what: `another stack's instance has the port on host ${host}`,
    got: `port ${port} of ${owner}, ${instance}`,
    expected: "a port that nobody has",
    hint: "name another `port`, or none, and one is chosen",
  });
}

function portTaken(
  { name, deployment, host, machine }: PortRequest,
  port: number,
  requests: readonly PortRequest[],
): BerthError {
  const isSibling = (other: PortRequest) =>
    other.deployment === deployment && other.name !== name && other.machine === machine;
  const siblings = requests.some(isSibling);
  return new BerthError("stack-inconsistent", {
    where: `deployment ${deployment}`,
    what: siblings
      ? `several of its replicas are on host ${host}, or on one machine with it, and a port is for one`
      : "another deployment of this host has the port",
    got: String(port),
    expected: "a free port",
    hint: siblings ? "leave `port` out, or have no more `replicas` than hosts" : "give one of them another `port`",
  });
}
