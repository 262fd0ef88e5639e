import { BerthError } from "../lib/errors.js";

/** A deployment that needs a port. */
export interface PortRequest {
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
}

/**
 * A port for each deployment, no port of a machine twice. What the stack asks for comes first; then each keeps what it
 * had, if it is in its range; the others get the lowest free ones, in the order of their names. Pure.
 */
export function assignPorts(requests: readonly PortRequest[]): ReadonlyMap<string, number> {
  const assigned = new Map<string, number>();
  const taken = new Set<string>();
  const isFree = ({ machine }: PortRequest, port: number) => !taken.has(`${machine} ${port}`);
  const assign = ({ deployment, machine }: PortRequest, port: number) => {
    taken.add(`${machine} ${port}`);
    assigned.set(deployment, port);
  };
  const byName = requests.toSorted((a, b) => (a.deployment < b.deployment ? -1 : 1));
  for (const request of byName) {
    if (request.asked === undefined) continue;
    if (!isFree(request, request.asked)) throw portTaken(request, request.asked);
    assign(request, request.asked);
  }
  for (const request of byName) {
    const { asked, before, range } = request;
    const mayKeep = asked === undefined && before !== undefined && before >= range[0] && before <= range[1];
    if (mayKeep && isFree(request, before)) assign(request, before);
  }
  for (const request of byName) {
    if (!assigned.has(request.deployment))
      assign(
        request,
        findFree(request, (port) => isFree(request, port)),
      );
  }
  return assigned;
}

function findFree({ deployment, host, range, listening }: PortRequest, isFree: (port: number) => boolean): number {
  const [first, last] = range;
  const inUse = new Set(listening);
  for (let port = first; port <= last; port += 1) if (isFree(port) && !inUse.has(port)) return port;
  throw new BerthError("stack-inconsistent", {
    where: `deployment ${deployment}`,
    what: `host ${host} has no free port`,
    got: `all of ${first} to ${last} are taken`,
    expected: "a free port",
    hint: "widen the host's `portRange`",
  });
}

function portTaken({ deployment }: PortRequest, port: number): BerthError {
  return new BerthError("stack-inconsistent", {
    where: `deployment ${deployment}`,
    what: "another deployment of this host has the port",
    got: String(port),
    expected: "a free port",
    hint: "give one of them another `port`",
  });
}
