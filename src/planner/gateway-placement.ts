/** What a lock decides of the gateway that routes by model. Pure. */
import { BerthError, type ErrorParts } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import { modelName, type GatewayEntry, type PlacedGateway, type Weights } from "../schema/gateway.js";
import type { LockedDeployment, PlacedInstance, PlacedSubordinate } from "../schema/lock.js";
import type { HostEntry, StackFile } from "../schema/stack.js";
import { isLoopback } from "./exposure.js";
import { addressOf, reachedAt } from "./gateway-address.js";
import { knownHost, type KnownHost } from "./host-choice.js";
import { machineOf } from "./port-placement.js";
import { requireHaproxy } from "./rollout.js";

/** The whole of all shares, where one deployment has it. */
const whole = 100;

type Ports = Pick<PlacedInstance, "host" | "port" | "slots">;

interface GatewayInstance extends Ports, Pick<PlacedInstance, "bindAddress"> {
  readonly subordinates?: readonly Pick<PlacedSubordinate, "host" | "port" | "serverPort">[] | undefined;
}

export interface GatewayProblem {
  readonly stack: Pick<StackFile, "hosts"> & { readonly gateway?: GatewayEntry | undefined };
  readonly hosts: Readonly<Record<string, KnownHost>>;
  readonly release: Readonly<Record<string, Pick<LockedDeployment, "servedModel">>>;
  readonly instances: Readonly<Record<string, GatewayInstance>>;
  readonly chooseRuntime: (host: string) => "systemd" | "supervisord";
}

/**
 * Which names lead to which deployments, where the gateway runs, and by which addresses it reaches replicas.
 *
 * @throws BerthError `stack-inconsistent`, `host-unsuitable` for what contradicts the rest of the stack
 */
export function placeGateway(problem: GatewayProblem): PlacedGateway | undefined {
  const { gateway } = problem.stack;
  if (gateway === undefined) return undefined;
  const { listen, metrics, insecure, keys, limits, queueTimeout, maxBodyBytes, accessLog, tls } = gateway;
  const routes = placeRoutes(problem.release, gateway.aliases);
  assertKeys(gateway, routes);
  for (const name of Object.keys(limits)) assertDeployment(problem.release, name, "gateway.limits");
  if (!isLoopback(listen.address) && Object.keys(keys).length === 0 && !insecure)
    throw inconsistent("gateway.listen", {
      what: "an address that others can reach needs keys",
      got: listen.address,
      expected: "`keys`, or `insecure: true`",
      hint: "add `keys: { NAME: { secret: NAME } }`; with `insecure: true` anybody who reaches it can use all models",
    });
  // HAProxy would listen twice, and each of the two would get some of the connections.
  if (listen.port === metrics.port)
    throw inconsistent("gateway.metrics", {
      what: "requests and metrics have one port",
      got: String(metrics.port),
      expected: "a port of its own",
      hint: "give `gateway.listen` or `gateway.metrics` another port",
    });
  const on = [...new Set(gateway.hosts)].toSorted();
  for (const host of on) assertHost(problem, gateway, host);
  assertOwnMachines(problem, on);
  return {
    hosts: Object.fromEntries(on.map((host) => [host, placeOn(problem, host)])),
    ...{ listen, metrics, routes, limits, queueSeconds: queueTimeout, maxBodyBytes, accessLog },
    ...(tls === undefined ? {} : { certFile: tls.certFile }),
    keys: Object.fromEntries(
      Object.entries(keys).map(([name, { secret, models, requestsPerMinute }]) => [
        name,
        {
          secret,
          ...(models === undefined ? {} : { models: [...new Set(models)].toSorted() }),
          ...(requestsPerMinute === undefined ? {} : { requestsPerMinute }),
        },
      ]),
    ),
  };
}

/** A deployment by the name under which it is served, and every alias. */
function placeRoutes(release: GatewayProblem["release"], aliases: GatewayEntry["aliases"]): Record<string, Weights> {
  const routes = new Map<string, Weights>();
  for (const [deployment, { servedModel = deployment }] of Object.entries(release)) {
    if (!modelName.safeParse(servedModel).success)
      throw inconsistent(`deployment ${deployment}`, {
        what: "the gateway cannot lead to the name under which it is served",
        got: servedModel,
        expected: "letters, digits and . _ : / + -",
        hint: "serve it under another name",
      });
    const other = Object.keys(routes.get(servedModel) ?? {})[0];
    if (other !== undefined)
      throw inconsistent(`deployment ${deployment}`, {
        what: `the deployment ${other} is served under the same name, so the gateway cannot tell them apart`,
        got: servedModel,
        expected: "a name of its own",
        hint: "give one of them another name, and clients an alias that leads to both",
      });
    routes.set(servedModel, { [deployment]: whole });
  }
  for (const [alias, target] of Object.entries(aliases)) {
    const weights = typeof target === "string" ? { [target]: whole } : target;
    for (const name of Object.keys(weights)) assertDeployment(release, name, `gateway.aliases.${alias}`);
    if (routes.has(alias))
      throw inconsistent(`gateway.aliases.${alias}`, {
        what: "a deployment has this name",
        expected: "a name that no deployment is served under",
        hint: "give the deployment another name, or the alias",
      });
    routes.set(alias, weights);
  }
  return Object.fromEntries([...routes].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function assertDeployment(release: GatewayProblem["release"], name: string, where: string): void {
  if (lookUp(release, name) !== undefined) return;
  throw inconsistent(where, {
    what: "the stack has no such deployment",
    got: name,
    expected: Object.keys(release).join(", ") || "a deployment",
    hint: "correct the name",
  });
}

function assertKeys({ keys }: GatewayEntry, routes: Readonly<Record<string, Weights>>): void {
  const secrets = new Map<string, string>();
  for (const [name, { secret, models = [] }] of Object.entries(keys)) {
    const unknown = models.find((model) => lookUp(routes, model) === undefined);
    if (unknown !== undefined)
      throw inconsistent(`gateway.keys.${name}`, {
        what: "the gateway has no such model",
        got: unknown,
        expected: Object.keys(routes).join(", "),
        hint: "correct the name, or add an alias",
      });
    const other = secrets.get(secret);
    secrets.set(secret, name);
    if (other !== undefined)
      throw inconsistent(`gateway.keys.${name}`, {
        what: `the key ${other} is the same secret, so nobody can tell them apart`,
        got: secret,
        expected: "a secret of its own",
        hint: "give each key a secret of its own",
      });
  }
}

function assertHost(problem: GatewayProblem, { listen, metrics }: GatewayEntry, host: string): void {
  const entry = lookUp(problem.stack.hosts, host);
  if (entry === undefined)
    throw inconsistent("gateway.hosts", {
      what: "the stack has no such host",
      got: host,
      expected: Object.keys(problem.stack.hosts).join(", "),
      hint: "correct the name",
    });
  for (const [name, instance] of Object.entries(problem.instances)) {
    const server = lookUp(problem.stack.hosts, instance.host);
    for (const part of partsOf(instance)) {
      const isHere = machineOf(entry) === machineOf(lookUp(problem.stack.hosts, part.host));
      assertPortFree(host, [listen.port, metrics.port], name, part, isHere);
    }
    assertReached(host, entry, name, instance, server);
  }
}

/** Two on one machine would have one port. */
function assertOwnMachines({ stack }: GatewayProblem, on: readonly string[]): void {
  const hosts = new Map<string, string>();
  for (const host of on) {
    const machine = machineOf(stack.hosts[host]);
    const other = hosts.get(machine);
    hosts.set(machine, host);
    if (other === undefined) continue;
    throw inconsistent("gateway.hosts", {
      what: `the hosts ${other} and ${host} are one machine, where only one can have the port`,
      got: machine,
      expected: "hosts that are different machines",
      hint: "leave one of them out",
    });
  }
}

/** What an instance has on its host, and on others. */
function partsOf({ subordinates = [], ...own }: GatewayInstance): Ports[] {
  const others = subordinates.map(({ host, port, serverPort = port }): Ports => ({
    host,
    port,
    slots: [port, serverPort],
  }));
  return [own, ...others];
}

function assertPortFree(
  host: string,
  ports: readonly number[],
  name: string,
  { port, slots }: Ports,
  isHere: boolean,
): void {
  const taken = ports.find((wanted) => isHere && [port, ...(slots ?? [])].includes(wanted));
  if (taken === undefined) return;
  throw inconsistent("gateway", {
    what: `the instance ${name} has the port on host ${host}`,
    got: `port ${taken}`,
    expected: "a port that no instance has",
    hint: "give the gateway another port, outside of the host's `portRange`",
  });
}

function assertReached(
  host: string,
  entry: HostEntry,
  name: string,
  instance: Pick<PlacedInstance, "host" | "bindAddress">,
  server: HostEntry | undefined,
): void {
  const here = { name: host, machine: machineOf(entry) };
  const there = { machine: machineOf(server), address: addressOf(server ?? {}) };
  if (reachedAt(instance, here, there) !== undefined) return;
  const atLoopback = isLoopback(instance.bindAddress);
  throw inconsistent(`instance ${name}`, {
    what: `the gateway on host ${host} does not reach it on host ${instance.host}`,
    got: atLoopback ? `bindAddress: ${instance.bindAddress}` : `no address of host ${instance.host}`,
    expected: atLoopback ? "an address that other hosts reach" : "its address in the hosts' network",
    hint: atLoopback
      ? "give the deployment `bindAddress: 0.0.0.0` and an `apiKey`, which the gateway then sends"
      : `give host ${instance.host} a \`privateAddress\``,
  });
}

function placeOn(problem: GatewayProblem, host: string): PlacedGateway["hosts"][string] {
  const { facts } = knownHost(problem.hosts, host);
  const { gateway } = problem.stack.hosts[host] ?? {};
  return {
    haproxy: requireHaproxy({ gateway, facts }, `gateway on host ${host}`),
    runtime: problem.chooseRuntime(host),
  };
}

function inconsistent(where: string, parts: Omit<ErrorParts, "where">): BerthError {
  return new BerthError("stack-inconsistent", { where, ...parts });
}
