import { posix } from "node:path";

import { BerthError } from "../lib/errors.js";
import { placeSetup, placeVerify } from "../schema/commands.js";
import type { HostFacts } from "../schema/facts.js";
import type { LockedDeployment, LockedPreload, PlacedHost, PlacedInstance, Placement } from "../schema/lock.js";
import type { DeploymentEntry, HostEntry, StackFile } from "../schema/stack.js";
import { placeDockerObjects } from "./docker-objects.js";
import { allowAddress, keyVariable } from "./exposure.js";
import { chooseHost, type KnownHost } from "./host-choice.js";
import { assertContainers } from "./container-host.js";
import { assignPorts, takenPort, type PortClaim, type PortRequest } from "./ports.js";
import { placePreload } from "./preload.js";
import { assertGateway, chooseBlueGreen, findHaproxy, type Rollout } from "./rollout.js";
import { assertOneFileEach, assertOneInstallEach, type Use } from "./sharing.js";

/** How long requests in progress may take to end when the stack does not say. */
const drainSeconds = 60;

export interface PlacementProblem {
  /** Whose stack it is, as project/stack. */
  readonly owner: string;
  readonly stack: StackFile;
  readonly release: Readonly<Record<string, LockedDeployment>>;
  /** What lies ready before a deployment wants it. */
  readonly preload?: Readonly<Record<string, LockedPreload>>;
  readonly hosts: Readonly<Record<string, KnownHost>>;
  readonly previous: Placement | undefined;
}

/**
 * Decides where every replica runs, and on which port. The same problem gives the same placement; what was placed
 * before stays unless the stack asks for something else. Pure.
 */
export function place(problem: PlacementProblem): Placement {
  const { stack, hosts } = problem;
  const named = Object.entries(stack.deployments).sort(([a], [b]) => (a < b ? -1 : 1));
  const rollouts = named.map(([name, deployment]) => rolloutOf(problem, name, deployment));
  const blueGreen = chooseBlueGreen(rollouts);
  const ports = placePorts(problem, blueGreen);
  const instances = Object.fromEntries(
    named.map(([name, deployment]) => [
      instanceName(name),
      placeInstance(problem, name, deployment, ports.get(name) ?? { port: 0 }),
    ]),
  );
  const served = new Set(rollouts.flatMap(({ deployment, host }) => (blueGreen.has(deployment) ? [host] : [])));
  const placed = Object.entries(stack.hosts).map(
    ([name, entry]) => [name, placeHost(name, entry, hosts, served.has(name))] as const,
  );
  assertOwnFolders(placed);
  const preload = placePreload(problem, problem.preload ?? {});
  const uses = listUses(problem, Object.values(instances), preload ?? {});
  assertOneFileEach(uses);
  assertOneInstallEach(uses);
  return {
    ...placeMirrors(stack.mirrors),
    ...placeLogins(stack.registryLogins),
    hosts: Object.fromEntries(placed),
    instances,
    ...(preload === undefined ? {} : { preload }),
  };
}

/** What hosts need: of each instance, and of what lies ready. */
function listUses(
  { release, preload: locked = {} }: PlacementProblem,
  instances: readonly PlacedInstance[],
  preload: NonNullable<Placement["preload"]>,
): Use[] {
  const deployed = instances.map(({ deployment, host }) => {
    const engine = release[deployment];
    return { where: `deployment ${deployment}`, host, engine, model: engine?.model };
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

/** The first, and in this version only, replica of a deployment. */
export function instanceName(deployment: string): string {
  return `${deployment}-0`;
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
  name: string,
  deployment: DeploymentEntry,
  { port, slots }: Ports,
): PlacedInstance {
  const { stack } = problem;
  const host = chooseHost({ stack, hosts: problem.hosts, selector: {} }, name, deployment);
  const { facts } = knownHost(problem.hosts, host);
  const { apiKey, model, secretEnv, update, verify } = deployment;
  const release = problem.release[name];
  const where = `deployment ${name}`;
  const inContainer = release?.install.method === "image";
  if (inContainer) assertContainers(facts, release, where, host);
  return {
    deployment: name,
    host,
    devices: [],
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
    stopSeconds: update.stopTimeout,
    ...(slots === undefined ? {} : { drainSeconds: update.drainTimeout ?? drainSeconds }),
    ...(verify === undefined ? {} : { verify: placeVerify(verify) }),
  };
}

function chooseRuntime(
  host: string,
  asked: HostEntry["runtime"],
  initSystem: HostFacts["initSystem"],
): NonNullable<HostEntry["runtime"]> {
  const hasSystemd = initSystem !== "other";
  if (asked !== "systemd" || hasSystemd) return asked ?? (hasSystemd ? "systemd" : "supervisord");
  throw new BerthError("host-unsuitable", {
    where: `host ${host}`,
    what: "systemd does not run there, or does not answer this user",
    got: "runtime: systemd",
    expected: "runtime: supervisord",
    hint: "leave `runtime` out, and the host's facts decide",
  });
}

function rolloutOf(problem: PlacementProblem, deployment: string, entry: DeploymentEntry): Rollout {
  const { stack, hosts } = problem;
  const host = chooseHost({ stack, hosts, selector: {} }, deployment, entry);
  const before = slotsBefore(problem, deployment) !== undefined;
  return { deployment, entry, host, gateway: stack.hosts[host]?.gateway, facts: knownHost(hosts, host).facts, before };
}

type Ports = Pick<PlacedInstance, "port" | "slots">;

/** A port for each deployment, and two more for the runners of those that have a gateway before them. */
function placePorts(problem: PlacementProblem, blueGreen: ReadonlySet<string>): ReadonlyMap<string, Ports> {
  const named = Object.entries(problem.stack.deployments);
  const requests = named.map(([name, entry]) => requestPort(problem, name, entry));
  const stable = assignPorts(requests);
  const taken = new Set(requests.map(({ deployment, machine }) => takenPort(machine, stable.get(deployment) ?? 0)));
  const slotName = (name: string, slot: number) => `${name}, slot ${slot + 1}`;
  const wanted = requests.filter(({ deployment }) => blueGreen.has(deployment));
  const ofSlots = wanted.flatMap((request) =>
    [0, 1].map((slot) => {
      const before = request.before === undefined ? undefined : slotsBefore(problem, request.deployment)?.[slot];
      return { ...request, deployment: slotName(request.deployment, slot), asked: undefined, before };
    }),
  );
  const assigned = assignPorts(ofSlots, taken);
  const slot = (name: string, index: number) => assigned.get(slotName(name, index)) ?? 0;
  return new Map(
    named.map(([name]): [string, Ports] => {
      const port = stable.get(name) ?? 0;
      return [name, blueGreen.has(name) ? { port, slots: [slot(name, 0), slot(name, 1)] } : { port }];
    }),
  );
}

function slotsBefore({ previous }: PlacementProblem, deployment: string): PlacedInstance["slots"] {
  return previous?.instances[instanceName(deployment)]?.slots;
}

function requestPort(problem: PlacementProblem, name: string, entry: DeploymentEntry): PortRequest {
  const { stack, hosts, previous } = problem;
  const host = chooseHost({ stack, hosts, selector: {} }, name, entry);
  const before = previous?.instances[instanceName(name)];
  return {
    deployment: name,
    host,
    machine: machineOf(stack.hosts[host]),
    range: stack.hosts[host]?.portRange ?? [1, 0],
    asked: entry.port,
    before: before?.host === host ? before.port : undefined,
    listening: knownHost(hosts, host).usage.listeningPorts,
    claims: claimsOfOthers(problem, host, instanceName(name)),
  };
}

/** Ports that other instances have on the machine of a host, by whatever name the stack knows it. */
function claimsOfOthers({ stack, hosts, owner }: PlacementProblem, host: string, own: string): PortClaim[] {
  const machine = machineOf(stack.hosts[host]);
  const alike = Object.keys(stack.hosts).filter((name) => machineOf(stack.hosts[name]) === machine);
  const claims = alike.flatMap((name) => knownHost(hosts, name).usage.claims ?? []);
  return claims.flatMap((claim) => {
    if (!("port" in claim) || (claim.owner === owner && claim.instance === own)) return [];
    return [{ ...claim, foreign: claim.owner !== owner }];
  });
}

/** What holds ports: hosts by the connection `local` are all this machine, and two names may lead to one ssh server. */
function machineOf(host: Pick<HostEntry, "connection" | "ssh"> | undefined): string {
  const { address, port = 22 } = host?.ssh ?? {};
  return address === undefined ? "local" : `${address} ${port}`;
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

function knownHost(hosts: PlacementProblem["hosts"], name: string): KnownHost {
  const known = hosts[name];
  if (known === undefined) throw new Error(`no facts of host ${name}`);
  return known;
}
