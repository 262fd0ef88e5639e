import { BerthError } from "../lib/errors.js";
import type { HostFacts, HostUsage } from "../schema/facts.js";
import type { LockedDeployment, PlacedHost, PlacedInstance, Placement } from "../schema/lock.js";
import type { DeploymentEntry, HostEntry, StackFile } from "../schema/stack.js";
import { allowAddress, keyVariable } from "./exposure.js";

export interface KnownHost {
  readonly facts: HostFacts;
  readonly usage: HostUsage;
  /** Absolute, or relative to the project. */
  readonly dataDir: string;
}

export interface PlacementProblem {
  readonly stack: StackFile;
  readonly release: Readonly<Record<string, LockedDeployment>>;
  readonly hosts: Readonly<Record<string, KnownHost>>;
  readonly previous: Placement | undefined;
}

/**
 * Decides where every replica runs, and on which port. The same problem gives the same placement; what was placed
 * before stays unless the stack asks for something else. Pure.
 */
export function place(problem: PlacementProblem): Placement {
  const { stack, hosts } = problem;
  const instances: Record<string, PlacedInstance> = {};
  const taken: Record<string, Set<number>> = {};
  const named = Object.entries(stack.deployments).sort(([a], [b]) => (a < b ? -1 : 1));
  // Ports that somebody asked for, or had before, are not given to others.
  const [fixed, free] = partition(
    named,
    ([name, { port }]) => port !== undefined || keptPort(problem, name) !== undefined,
  );
  for (const [name, deployment] of [...fixed, ...free]) {
    const hostName = chooseHost(stack, name, deployment);
    const ports = (taken[hostName] ??= new Set());
    const instance = placeInstance(problem, name, deployment, hostName, ports);
    ports.add(instance.port);
    instances[instanceName(name)] = instance;
  }
  return {
    ...(stack.mirrors.pip === undefined ? {} : { indexUrl: stack.mirrors.pip }),
    hosts: Object.fromEntries(
      Object.entries(stack.hosts).map(([name, entry]) => [name, placeHost(name, entry, hosts)]),
    ),
    instances,
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
    dataDir: known.dataDir,
    labels: entry.labels,
    ...(entry.pipxPath === undefined ? {} : { pipxPath: entry.pipxPath }),
    facts: known.facts,
    usage: known.usage,
  };
}

function placeInstance(
  problem: PlacementProblem,
  name: string,
  deployment: DeploymentEntry,
  hostName: string,
  taken: ReadonlySet<number>,
): PlacedInstance {
  const { stack } = problem;
  const { facts } = knownHost(problem.hosts, hostName);
  const entry = stack.hosts[hostName];
  const { apiKey, secretEnv, update } = deployment;
  const release = problem.release[name];
  const where = `deployment ${name}`;
  return {
    deployment: name,
    host: hostName,
    devices: [],
    runtime: entry?.runtime ?? (facts.initSystem === "other" ? "supervisord" : "systemd"),
    port: choosePort(problem, name, deployment, hostName, taken),
    bindAddress: allowAddress(deployment, apiKey !== undefined, where),
    secretEnv: {
      ...Object.fromEntries(Object.entries(secretEnv).map(([variable, { secret }]) => [variable, secret])),
      ...(apiKey === undefined || release === undefined ? {} : { [keyVariable(release, where)]: apiKey.secret }),
    },
    minHealthySeconds: update.minHealthyTime,
    healthyDeadlineSeconds: update.healthyDeadline,
    stopSeconds: update.stopTimeout,
  };
}

function chooseHost(stack: StackFile, name: string, deployment: DeploymentEntry): string {
  const hosts = Object.keys(stack.hosts);
  if (deployment.host !== undefined) {
    if (hosts.includes(deployment.host)) return deployment.host;
    throw inconsistent(name, "the stack has no such host", deployment.host, hosts.join(", "), "correct `host`");
  }
  const [only, ...others] = hosts;
  if (only !== undefined && others.length === 0) return only;
  throw inconsistent(
    name,
    "the stack has several hosts and the deployment names none",
    "no `host`",
    hosts.join(", "),
    "add `host`",
  );
}

function choosePort(
  problem: PlacementProblem,
  name: string,
  deployment: DeploymentEntry,
  hostName: string,
  taken: ReadonlySet<number>,
): number {
  const asked = deployment.port ?? keptPort(problem, name);
  if (asked !== undefined) {
    if (!taken.has(asked)) return asked;
    throw inconsistent(
      name,
      "another deployment of this host has the port",
      String(asked),
      "a free port",
      "give one of them another `port`",
    );
  }
  const [first, last] = problem.stack.hosts[hostName]?.portRange ?? [1, 0];
  const listening = new Set(knownHost(problem.hosts, hostName).usage.listeningPorts);
  for (let port = first; port <= last; port += 1) {
    if (!taken.has(port) && !listening.has(port)) return port;
  }
  throw inconsistent(
    name,
    `host ${hostName} has no free port`,
    `all of ${first} to ${last} are taken`,
    "a free port",
    "widen the host's `portRange`",
  );
}

/** The port that the deployment had before, if it is still on that host and in its range. */
function keptPort({ stack, previous }: PlacementProblem, name: string): number | undefined {
  const before = previous?.instances[instanceName(name)];
  const deployment = stack.deployments[name];
  if (before === undefined || deployment === undefined || deployment.port !== undefined) return undefined;
  if (before.host !== chooseHost(stack, name, deployment)) return undefined;
  const [first, last] = stack.hosts[before.host]?.portRange ?? [1, 0];
  return before.port >= first && before.port <= last ? before.port : undefined;
}

function knownHost(hosts: PlacementProblem["hosts"], name: string): KnownHost {
  const known = hosts[name];
  if (known === undefined) throw new Error(`no facts of host ${name}`);
  return known;
}

function inconsistent(deployment: string, what: string, got: string, expected: string, hint: string): BerthError {
  return new BerthError("stack-inconsistent", { where: `deployment ${deployment}`, what, got, expected, hint });
}

function partition<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  return [items.filter(test), items.filter((item) => !test(item))];
}
