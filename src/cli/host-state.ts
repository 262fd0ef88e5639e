import { compareInstances } from "../planner/replicas.js";
import { nameOf, type StackState, type StateResource } from "./state.js";

export interface HostState {
  /** The host itself first: what is on it stands on it. */
  readonly resources: readonly StateResource[];
  /** Its commands, networks and volumes, and the checks of its instances. */
  readonly extras: StackState["extras"];
  /** All hosts of which the state has something. */
  readonly known: readonly string[];
}

/** What a state has of one host. Pure. */
export function hostState(host: string, { resources, extras }: Pick<StackState, "resources" | "extras">): HostState {
  const own = resources.filter(({ outputs }) => hostOf(outputs) === host);
  const instances = new Set(own.filter(({ kind }) => kind === "Instance").map(({ outputs }) => String(outputs.name)));
  const names = [...resources.map(({ outputs }) => hostOf(outputs)), ...extras.map(({ urn }) => hostOfExtra(urn))];
  return {
    resources: own.toSorted((a, b) => Number(b.kind === "Host") - Number(a.kind === "Host")),
    extras: extras.filter(({ urn }) => hostOfExtra(urn) === host || instances.has(instanceOfExtra(urn) ?? "")),
    known: [...new Set(names.filter((name) => name !== undefined))].sort(),
  };
}

/** A host that a lock, or already the stack file, has no more. */
export interface LeftHost {
  readonly name: string;
  readonly leftBy: "lock" | "stack file";
  /** The instances that are on it. */
  readonly instances: readonly string[];
}

/** Who has which hosts, by name. */
export interface HostSides {
  readonly inStack: readonly string[];
  readonly inLock: readonly string[];
}

/** The hosts of a state or a lock that the next lock or update leaves, by name. Pure. */
export function findLeftHosts(
  { inStack, inLock }: HostSides,
  { resources }: Pick<StackState, "resources">,
): readonly LeftHost[] {
  const { known } = hostState("", { resources, extras: [] });
  const instancesOn = (host: string) =>
    resources
      .filter(({ kind, outputs }) => kind === "Instance" && hostOf(outputs) === host)
      .map(({ outputs }) => String(outputs.name))
      .sort(compareInstances);
  return [...new Set([...known, ...inLock])].sort().flatMap((name): LeftHost[] => {
    const found = { name, instances: instancesOn(name) };
    if (!inLock.includes(name)) return [{ ...found, leftBy: "lock" }];
    return inStack.includes(name) ? [] : [{ ...found, leftBy: "stack file" }];
  });
}

/** The host that a resource is on. */
export function hostOf({ host }: StateResource["outputs"]): string | undefined {
  return typeof host === "object" && host !== null && "name" in host ? String(host.name) : undefined;
}

/** Hosts have no dot in their names. */
function hostOfExtra(urn: string): string | undefined {
  return /^([^.]+)\.(?:docker|(?:setup|network|volume)\.[^.]+)$/.exec(nameOf(urn))?.[1];
}

/** `verify` commands are named after the instance that they check. */
function instanceOfExtra(urn: string): string | undefined {
  return /^(.+)\.verify\.[^.]+$/.exec(nameOf(urn))?.[1];
}
