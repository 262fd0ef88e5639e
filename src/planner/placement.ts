import { posix } from "node:path";

import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import { placeSetup, placeVerify } from "../schema/commands.js";
import type { LockedPreload, PlacedHost, PlacedInstance, Placement } from "../schema/lock.js";
import type { HostEntry, StackFile } from "../schema/stack.js";
import { assertOneOwnerEach } from "./device-owners.js";
import { assertSameDevices } from "./device-variables.js";
import { placeDockerObjects } from "./docker-objects.js";
import { allowAddress, keyVariable } from "./exposure.js";
import { placeGateway } from "./gateway-placement.js";
import { knownHost } from "./host-choice.js";
import { containerDevices, visibleDevices } from "./container-devices.js";
import { assertContainers } from "./container-host.js";
import { placeLimits } from "./container-limits.js";
import { placeNetworks } from "./container-networks.js";
import { machineOf, placePorts, type Ports, type Replica } from "./port-placement.js";
import { placePreload } from "./preload.js";
import type { ReplicaPlace } from "./replica-problem.js";
import { assertGateway, findHaproxy } from "./rollout.js";
import { chooseRuntime } from "./runtime-choice.js";
import { assertOneFileEach, assertOneInstallEach, type Use } from "./sharing.js";
import { placeSubordinates, takenPorts, withSubordinates, type SubordinateProblem } from "./subordinate-placement.js";
import { placeRollout } from "./waves.js";

/** How long requests in progress may take to end when the stack does not say. */
const drainSeconds = 60;
/** How long a runner may take to stop when neither the stack nor its backend says. */
const stopSeconds = 10;

export interface PlacementProblem extends SubordinateProblem {
  /** What lies ready before a deployment wants it. */
  readonly preload?: Readonly<Record<string, LockedPreload>>;
}

/**
 * Decides ports, supervisors and gateways for replicas that have their hosts and devices. The same problem gives the
 * same placement; what was placed before stays unless the stack asks for something else. Pure.
 */
export function place(problem: PlacementProblem): Placement {
  const { stack, hosts } = problem;
  const replicas = listReplicas(problem);
  const ports = placePorts(problem, replicas);
  const subordinates = placeSubordinates(problem, takenPorts(problem, replicas, ports));
  const instances = Object.fromEntries(
    replicas.map((replica) => {
      const placed = placeInstance(problem, replica, ports.get(replica.name) ?? { port: 0 });
      const own = subordinates.get(replica.name);
      return [replica.name, own === undefined ? placed : withSubordinates(problem, placed, own)];
    }),
  );
  const placedInstances = Object.values(instances);
  const served = new Set(placedInstances.flatMap(({ host, slots }) => (slots === undefined ? [] : [host])));
  const placed = Object.entries(stack.hosts).map(
    ([name, entry]) => [name, placeHost(name, entry, hosts, served.has(name))] as const,
  );
  assertOwnFolders(placed);
  assertOwnAddresses(placed);
  assertOneOwnerEach(partsOf(instances), Object.fromEntries(placed));
  const preload = placePreload(problem, problem.preload ?? {});
  const uses = listUses(problem, placedInstances, preload ?? {});
  assertOneFileEach(uses);
  assertOneInstallEach(uses);
  const rollout = placeRollout(stack.rollout, placedInstances);
  const gateway = placeGateway({
    ...{ stack, hosts, instances, release: problem.release },
    chooseRuntime: (host) => chooseRuntime(host, stack.hosts[host]?.runtime, knownHost(hosts, host).facts.initSystem),
  });
  return {
    ...placeMirrors(stack.mirrors),
    ...placeLogins(stack.registryLogins),
    hosts: Object.fromEntries(placed),
    instances,
    ...(preload === undefined ? {} : { preload }),
    ...(rollout === undefined ? {} : { rollout }),
    ...(gateway === undefined ? {} : { gateway }),
  };
}

function listReplicas({ stack, places }: PlacementProblem): Replica[] {
  return [...places].map(([name, { deployment, host, memory, subordinates }]) => {
    const entry = lookUp(stack.deployments, deployment);
    if (entry === undefined) throw new Error(`no deployment ${deployment}`);
    return { name, deployment, entry, host, memory, hasSeveral: subordinates !== undefined };
  });
}

/** What instances have of each of their hosts. */
function partsOf(
  instances: Readonly<Record<string, PlacedInstance>>,
): Record<string, Pick<PlacedInstance, "host" | "devices">> {
  const parts: Record<string, Pick<PlacedInstance, "host" | "devices">> = { ...instances };
  for (const [name, { subordinates = [] }] of Object.entries(instances))
    for (const each of subordinates) parts[`${name} on ${each.host}`] = each;
  return parts;
}

/** What hosts need: of each instance, and of what lies ready. */
function listUses(
  { release, preload: locked = {} }: PlacementProblem,
  instances: readonly PlacedInstance[],
  preload: NonNullable<Placement["preload"]>,
): Use[] {
  const deployed = instances.flatMap(({ deployment, host, subordinates = [] }) => {
    const engine = release[deployment];
    const where = `deployment ${deployment}`;
    // Each member of a Ray cluster loads the model by itself.
    const others = subordinates.map((each) => {
      return { where, host: each.host, engine, ...(each.ray === undefined ? {} : { model: engine?.model }) };
    });
    return [{ where, host, engine, model: engine?.model }, ...others];
  });
  const ready = Object.entries(preload).flatMap(([name, { hosts }]) =>
    hosts.map((host) => ({ where: `preload ${name}`, host, ...locked[name] })),
  );
  return [...deployed, ...ready];
}

/** Mirrors are the environment's own: a release names the public places. */
function placeMirrors({ pip, downloadBaseUrl, huggingface, registries }: StackFile["mirrors"]): Partial<Placement> {
  return {
    ...(pip === undefined ? {} : { indexUrl: pip }),
    ...(downloadBaseUrl === undefined ? {} : { downloadBaseUrl }),
    ...(huggingface === undefined ? {} : { hubEndpoint: huggingface }),
    ...(registries === undefined ? {} : { registries }),
  };
}

/** By the names of their secrets: no password is in a lock. */
function placeLogins(logins: StackFile["registryLogins"]): Pick<Placement, "registryLogins"> {
  if (logins === undefined) return {};
  const placed = Object.entries(logins).map(
    ([registry, { username, password }]) => [registry, { username, password: password.secret }] as const,
  );
  return { registryLogins: Object.fromEntries(placed) };
}

function placeHost(name: string, entry: HostEntry, hosts: PlacementProblem["hosts"], hasSlots: boolean): PlacedHost {
  const known = knownHost(hosts, name);
  const { gateway } = entry;
  assertGateway({ gateway, facts: known.facts }, `host ${name}`);
  const haproxy = hasSlots ? findHaproxy({ gateway, facts: known.facts }) : undefined;
  return {
    connection: entry.connection,
    ...(entry.ssh === undefined ? {} : { ssh: entry.ssh }),
    dataDir: known.dataDir,
    labels: entry.labels,
    ...(entry.binDir === undefined ? {} : { binDir: entry.binDir }),
    ...(entry.pipxPath === undefined ? {} : { pipxPath: entry.pipxPath }),
    ...(entry.retention === undefined ? {} : { retention: entry.retention }),
    ...(entry.setup === undefined ? {} : { setup: placeSetup(entry.setup) }),
    ...placeDockerObjects(name, entry, known.facts),
    ...(entry.privateAddress === undefined ? {} : { privateAddress: entry.privateAddress }),
    ...(entry.images === "neverPull" ? { images: entry.images } : {}),
    ...(haproxy === undefined
      ? {}
      : { gateway: { haproxy, runtime: chooseRuntime(name, entry.runtime, known.facts.initSystem) } }),
    facts: known.facts,
    usage: known.usage,
  };
}

function placeInstance(
  problem: PlacementProblem,
  { name: instance, deployment: name, entry: deployment, host }: Replica,
  { port, slots }: Ports,
): PlacedInstance {
  const { stack } = problem;
  const { facts } = knownHost(problem.hosts, host);
  const { adopt, apiKey, model, replicas = 1, secretEnv, update, verify, container } = deployment;
  const { maxSurge, maxUnavailable } = update;
  const release = problem.release[name];
  const where = `deployment ${name}`;
  const inContainer = release?.install.method === "image";
  const place = problem.places.get(instance);
  if (inContainer) {
    assertContainers(facts, release, where, host);
    // A device that no container can be given is refused here, and not when it is to run.
    containerDevices(visibleDevices(place?.devices ?? [], facts), facts, where);
  }
  if (!inContainer) assertSameDevices(release?.env ?? {}, place?.devices ?? [], facts, where);
  const declared = stack.hosts[host]?.networks;
  const networks = placeNetworks({ owner: problem.owner, host, declared, asked: container?.networks, where });
  return {
    deployment: name,
    host,
    ...placeDevices(place),
    runtime: inContainer ? "docker" : chooseRuntime(host, stack.hosts[host]?.runtime, facts.initSystem),
    port,
    ...(slots === undefined ? {} : { slots }),
    bindAddress: allowAddress(deployment, apiKey !== undefined, where),
    secretEnv: {
      ...Object.fromEntries(Object.entries(secretEnv).map(([variable, { secret }]) => [variable, secret])),
      ...(apiKey === undefined || release === undefined ? {} : { [keyVariable(release, where)]: apiKey.secret }),
    },
    ...(model.source === "huggingface" && model.token !== undefined ? { modelToken: model.token.secret } : {}),
    minHealthySeconds: update.minHealthyTime,
    healthyDeadlineSeconds: update.healthyDeadline,
    stopSeconds: update.stopTimeout ?? release?.stopSeconds ?? stopSeconds,
    ...(slots === undefined ? {} : { drainSeconds: update.drainTimeout ?? drainSeconds }),
    ...(adopt === undefined ? {} : { adopt }),
    ...(networks.length === 0 ? {} : { networks }),
    ...(inContainer ? placeLimits(container) : {}),
    ...(replicas === 1 ? {} : { maxSurge, maxUnavailable }),
    ...(verify === undefined ? {} : { verify: placeVerify(verify) }),
  };
}

function placeDevices(
  place: Pick<ReplicaPlace, "devices" | "memory" | "arguments"> | undefined,
): Pick<PlacedInstance, "devices" | "memory" | "arguments"> {
  const { devices = [], memory, arguments: words = [] } = place ?? {};
  return {
    devices: [...devices],
    ...(memory === undefined ? {} : { memory }),
    ...(words.length === 0 ? {} : { arguments: [...words] }),
  };
}

/** What is meant for one host would reach another. */
function assertOwnAddresses(hosts: readonly (readonly [string, PlacedHost])[]): void {
  const owners = new Map<string, { readonly name: string; readonly machine: string }>();
  for (const [name, host] of hosts) {
    const { privateAddress } = host;
    if (privateAddress === undefined) continue;
    const machine = machineOf(host);
    const owner = owners.get(privateAddress);
    owners.set(privateAddress, { name, machine });
    if (owner === undefined || owner.machine === machine) continue;
    throw new BerthError("stack-inconsistent", {
      where: `host ${name}`,
      what: `the host ${owner.name} has the same private address`,
      got: privateAddress,
      expected: "an address of its own for each machine",
      hint: "correct `privateAddress` of one of them; `{{host}}` in it is the host's name",
    });
  }
}

/** Each host takes for its own all that is in its folder. */
function assertOwnFolders(hosts: readonly (readonly [string, PlacedHost])[]): void {
  const owners = new Map<string, string>();
  for (const [name, host] of hosts) {
    const { dataDir } = host;
    const folder = `${machineOf(host)} ${posix.join(dataDir, "/")}`;
    const owner = owners.get(folder);
    owners.set(folder, name);
    if (owner === undefined) continue;
    throw new BerthError("stack-inconsistent", {
      where: `host ${name}`,
      what: `the host ${owner} has the same data directory`,
      got: dataDir,
      expected: "a data directory for each host",
      hint: "give one of them another `dataDir`",
    });
  }
}
