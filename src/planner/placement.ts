import { posix } from "node:path";

import { BerthError } from "../lib/errors.js";
import { placeSetup, placeVerify } from "../schema/commands.js";
import type { HostFacts } from "../schema/facts.js";
import type { LockedDeployment, LockedPreload, PlacedHost, PlacedInstance, Placement } from "../schema/lock.js";
import type { DeploymentEntry, HostEntry, StackFile } from "../schema/stack.js";
import { placeDockerObjects } from "./docker-objects.js";
import { allowAddress, keyVariable } from "./exposure.js";
import { chooseHost, type KnownHost } from "./host-choice.js";
import { refuseImage } from "./image-refusal.js";
import { assignPorts, type PortClaim, type PortRequest } from "./ports.js";
import { placePreload } from "./preload.js";
import { assertOneFileEach, assertOneInstallEach, type Use } from "./sharing.js";

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
  const ports = assignPorts(named.map(([name, deployment]) => requestPort(problem, name, deployment)));
  const instances = Object.fromEntries(
    named.map(([name, deployment]) => [
      instanceName(name),
      placeInstance(problem, name, deployment, ports.get(name) ?? 0),
    ]),
  );
  const placed = Object.entries(stack.hosts).map(([name, entry]) => [name, placeHost(name, entry, hosts)] as const);
  assertOwnFolders(placed);
  const preload = placePreload(problem, problem.preload ?? {});
  const uses = listUses(problem, Object.values(instances), preload ?? {});
  assertOneFileEach(uses);
  assertOneInstallEach(uses);
  return {
    ...placeMirrors(stack.mirrors),
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

/** The first, and in this version only, replica of a deployment. */
export function instanceName(deployment: string): string {
  return `${deployment}-0`;
}

function placeHost(name: string, entry: HostEntry, hosts: PlacementProblem["hosts"]): PlacedHost {
  const known = knownHost(hosts, name);
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
    facts: known.facts,
    usage: known.usage,
  };
}

function placeInstance(
  problem: PlacementProblem,
  name: string,
  deployment: DeploymentEntry,
  port: number,
): PlacedInstance {
  const { stack } = problem;
  const host = chooseHost({ stack, hosts: problem.hosts, selector: {} }, name, deployment);
  const { facts } = knownHost(problem.hosts, host);
  const { apiKey, model, secretEnv, update, verify } = deployment;
  const release = problem.release[name];
  const where = `deployment ${name}`;
  if (release !== undefined) refuseImage(release, where, host);
  return {
    deployment: name,
    host,
    devices: [],
    runtime: chooseRuntime(host, stack.hosts[host]?.runtime, facts.initSystem),
    port,
    bindAddress: allowAddress(deployment, apiKey !== undefined, where),
    secretEnv: {
      ...Object.fromEntries(Object.entries(secretEnv).map(([variable, { secret }]) => [variable, secret])),
      ...(apiKey === undefined || release === undefined ? {} : { [keyVariable(release, where)]: apiKey.secret }),
    },
    ...(model.source === "huggingface" && model.token !== undefined ? { modelToken: model.token.secret } : {}),
    minHealthySeconds: update.minHealthyTime,
    healthyDeadlineSeconds: update.healthyDeadline,
    stopSeconds: update.stopTimeout,
    ...(verify === undefined ? {} : { verify: placeVerify(verify) }),
  };
}

function chooseRuntime(
  host: string,
  asked: PlacedInstance["runtime"] | undefined,
  initSystem: HostFacts["initSystem"],
): PlacedInstance["runtime"] {
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
