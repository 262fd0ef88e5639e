import { join } from "node:path";
import { fileURLToPath } from "node:url";

import * as pulumi from "@pulumi/pulumi";

import { createOpenHost } from "../host/open.js";
import { createContent } from "../install/content.js";
import { currentLock } from "../lock/current.js";
import { createLockEdges } from "../lock/edges.js";
import { readProject } from "../lock/project.js";
import { readDeclaredDevices } from "../lock/runner-files.js";
import { readHostClaims } from "../lock/host-claims.js";
import { createReserve, reservedLock } from "../lock/reservation.js";
import { desiredExtras } from "../planner/desired-commands.js";
import { desiredStack, type DesiredStack } from "../planner/desired.js";
import { assertNoneBlocked, findBlocked } from "../planner/exchange.js";
import { findSuccession, type HostClaims } from "../planner/succession.js";
import type { LockFile } from "../schema/lock.js";
import {
  createBackendVersion,
  createGateway,
  createHost,
  createInstance,
  createModelFiles,
} from "./desired-resources.js";
import { assertAsWanted, describeDeployments, type CreatedInstance, type DeployedModel } from "./deployed-model.js";
import { declareExtras } from "./extras.js";
import { createModelGateways } from "./model-gateways.js";
import { toProgramError } from "./program-error.js";
import { projectRootOf } from "./project-root.js";
import type { Host } from "./resources.js";
import { createSubordinates } from "./subordinates.js";
import { findSecret, revealSecret, type SecretPlaces } from "./secrets.js";
import { byWave, hostsOfRun, WaveOrder, wavesOf } from "./wave-order.js";

export interface StackArgs {
  /** The stack file, relative to the project. Default: configuration `berth:stackFile`, else `stacks/<stack>.yaml`. */
  file?: string;
  /** Refuse to write the lock, as configuration `berth:frozen` and the environment variable BERTH_FROZEN=1 do too. */
  frozen?: boolean;
}

const packageRoot = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Everything that a stack file asks for: its hosts, the backend versions and models on them, and the instances. What
 * the file leaves open is decided by its lock, which is solved anew when it is missing or stale.
 */
export class Stack extends pulumi.ComponentResource<DeployedStack> {
  /** Endpoint by deployment: the base URL for OpenAI clients. */
  readonly endpoints: pulumi.Output<Record<string, string>>;
  readonly deployments: pulumi.Output<Record<string, DeployedModel>>;
  /** Where clients ask the gateway that routes by model, on each of its hosts; undefined without one. */
  readonly gateways: pulumi.Output<readonly string[] | undefined>;

  constructor(name: string, args: StackArgs = {}, options?: pulumi.ComponentResourceOptions) {
    super("berth:index:Stack", name, args, options);
    const deployed = pulumi.output(this.getData());
    this.deployments = deployed.apply(({ deployments }) => pulumi.all(deployments));
    this.gateways = deployed.apply(({ gateways }) => (gateways.length === 0 ? undefined : gateways));
    this.endpoints = this.deployments.apply((deployed) =>
      Object.fromEntries(Object.entries(deployed).map(([deployment, { endpoint }]) => [deployment, endpoint])),
    );
    this.registerOutputs({ endpoints: this.endpoints, deployments: this.deployments, gateways: this.gateways });
  }

  protected override async initialize(args: StackArgs): Promise<DeployedStack> {
    try {
      const root = projectRootOf(pulumi.getRootDirectory(), process.cwd());
      return await deploy(await solve(args, root), root, this);
    } catch (error) {
      throw toProgramError(error);
    }
  }
}

interface Solved {
  readonly lock: LockFile;
  /** What its hosts have given out already. */
  readonly claims: readonly HostClaims[];
}

interface DeployedStack {
  readonly deployments: Record<string, pulumi.Output<DeployedModel>>;
  readonly gateways: readonly string[];
}

async function deploy({ lock, claims }: Solved, root: string, stack: Stack): Promise<DeployedStack> {
  const desired = desiredStack(lock, root);
  const { succession, waves } = orderOf(desired, claims);
  const places = { config: new pulumi.Config("berth"), environment: process.env, projectRoot: root };
  const { secrets, tokens, passwords } = await findNeededSecrets(desired, places);
  const extras = await declareExtras(desiredExtras(lock), {
    environment: process.env,
    root,
    findSecrets: (named) => findSecrets(named, places),
    parent: stack,
  });
  const hosts = new Map(desired.hosts.map((host) => [host.name, createHost(host, stack, extras.before(host.name))]));
  const networks = extras.onHosts(hosts);
  const { gateways, backendVersions, models } = createFoundations(desired, hosts, { tokens, passwords });
  const modelGateways = await createModelGateways({
    desired: desired.modelGateways,
    hostOf: (name) => known(hosts, name),
    findSecrets: (named) => findSecrets(named, places),
  });
  const standing = { host: on(hosts), backendVersion: on(backendVersions), model: on(models) };
  const created: CreatedInstance[] = [];
  const serving: pulumi.Resource[] = [];
  for (const [index, instance] of byWave(desired.instances, succession)) {
    const after = [...waves.before(instance), ...modelGateways.processes];
    const needs = {
      backendVersion: known(backendVersions, instance.backendVersion),
      model: known(models, instance.model),
      gateway: instance.placed.slots === undefined ? undefined : known(gateways, instance.host.name),
      networks: (instance.placed.networks ?? []).map((network) => known(networks, network)),
      secretEnv: secrets[index] ?? {},
      subordinates: createSubordinates(desired.subordinates, instance.name, standing, after),
      after,
    };
    const resource = createInstance(instance, needs, stack);
    const verified = [resource, ...extras.onInstance(instance.name, resource)];
    waves.add(instance, verified);
    serving.push(...verified);
    created[index] = { desired: instance, instance: resource };
  }
  modelGateways.route(serving);
  assertAsWanted(created, (host) => waves.isMeant(host), toProgramError);
  return { deployments: describeDeployments(created), gateways: modelGateways.endpoints };
}

/** What instances stand on, by their names; gateways by their hosts. */
function createFoundations(
  { gateways, backendVersions, models }: DesiredStack,
  hosts: ReadonlyMap<string, Host>,
  { tokens, passwords }: Pick<Awaited<ReturnType<typeof findNeededSecrets>>, "tokens" | "passwords">,
) {
  const hostOf = ({ host }: { host: { name: string } }) => known(hosts, host.name);
  return {
    gateways: new Map(gateways.map((gateway) => [gateway.host.name, createGateway(gateway, hostOf(gateway))])),
    backendVersions: new Map(
      backendVersions.map((backend, index) => [
        backend.name,
        createBackendVersion(backend, hostOf(backend), passwords[index]),
      ]),
    ),
    models: new Map(models.map((model, index) => [model.name, createModelFiles(model, hostOf(model), tokens[index])])),
  };
}

async function findNeededSecrets(desired: DesiredStack, places: SecretPlaces) {
  const find = async (name: string | undefined) => (name === undefined ? undefined : findSecret(name, places));
  return {
    secrets: await Promise.all(desired.instances.map(({ placed }) => findSecrets(placed.secretEnv, places))),
    tokens: await Promise.all(desired.models.map(({ token }) => find(token))),
    passwords: await Promise.all(desired.backendVersions.map(({ image }) => find(image?.login?.password))),
  };
}

/** @throws BerthError `already-claimed` where instances of the run would have to go before each other */
function orderOf({ instances }: DesiredStack, claims: readonly HostClaims[]) {
  const order = wavesOf(instances);
  const succession = findSuccession(order, claims);
  const waves = new WaveOrder(hostsOfRun(process.env), succession);
  const meant = new Set(instances.filter(({ host }) => waves.isMeant(host.name)).map(({ name }) => name));
  assertNoneBlocked(findBlocked(order, claims, succession).filter(({ wanted }) => meant.has(wanted.instance)));
  return { succession, waves };
}

async function solve(args: StackArgs, root: string): Promise<Solved> {
  const config = new pulumi.Config("berth");
  const file = args.file ?? config.get("stackFile") ?? join("stacks", `${pulumi.getStack()}.yaml`);
  // Any one freezes: none of them may thaw what another has frozen.
  const frozen = [args.frozen, config.getBoolean("frozen"), process.env.BERTH_FROZEN === "1"].includes(true);
  const project = readProject(root, file, packageRoot, { stackName: pulumi.getStack() });
  const openHost = createOpenHost({ environment: process.env, projectRoot: root });
  const now = () => new Date();
  const edges = createLockEdges({
    openHost,
    defaultIndex: process.env.PIP_INDEX_URL,
    root,
    workDir: join(root, ".berth", "python"),
    content: createContent(packageRoot, root),
    declared: readDeclaredDevices(root, packageRoot),
    environment: process.env,
    registryLogins: project.stack.registryLogins,
    now,
    findSecret: (name) => revealSecret(name, { config, environment: process.env, projectRoot: root }),
  });
  const owner = `${pulumi.getProject()}/${pulumi.getStack()}`;
  const write = !pulumi.runtime.isDryRun();
  const options = { owner, frozen, write };
  const claiming = { openHost, root, owner, now };
  const { lock, path, outcome } =
    write && !frozen
      ? await reservedLock(project, edges, options, createReserve(claiming))
      : await currentLock(project, edges, options);
  if (outcome.kind === "solved") {
    for (const warning of outcome.warnings) await pulumi.log.warn(warning);
    const done = pulumi.runtime.isDryRun() ? "would be" : "was";
    const what = [`${path} ${done} solved anew: ${outcome.reason}`, ...outcome.choices.map((choice) => `   ${choice}`)];
    if (outcome.changed) await pulumi.log.info(what.join("\n"));
  }
  // A preview changes nothing, so its order says nothing, and it asks no host.
  return { lock, claims: write ? await readHostClaims(lock, claiming) : [] };
}

async function findSecrets(
  named: Readonly<Record<string, string>>,
  places: SecretPlaces,
): Promise<pulumi.Output<Record<string, string>>> {
  const found = await Promise.all(
    Object.entries(named).map(async ([variable, secret]) => [variable, await findSecret(secret, places)] as const),
  );
  return pulumi.all(Object.fromEntries(found));
}

function on<T>(map: ReadonlyMap<string, T>): (name: string) => T {
  return (name) => known(map, name);
}

function known<T>(map: ReadonlyMap<string, T>, name: string): T {
  const found = map.get(name);
  if (found === undefined) throw new Error(`the lock's parts do not fit: ${name}`);
  return found;
}
