import { fileURLToPath } from "node:url";

import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";

import { resolveRelease } from "../catalog/release.js";
import type { Platform } from "../catalog/selection.js";
import { BerthError } from "../lib/errors.js";
import { readCatalogue } from "../lock/project.js";
import { desiredStack, type DesiredStack } from "../planner/desired.js";
import { allowAddress, keyVariable } from "../planner/exposure.js";
import type { LockedModel } from "../schema/model.js";
import { deploymentFields } from "../schema/stack.js";
import { createBackendVersion, createInstance, createModelFiles } from "./desired-resources.js";
import { toProgramError } from "./program-error.js";
import { projectRootOf } from "./project-root.js";
import type { Host, Instance } from "./resources.js";

/** The part of a deployment that stack files and programs write alike. */
const engine = deploymentFields.pick({
  backend: true,
  backendVersion: true,
  install: true,
  runCommand: true,
  category: true,
  contextLength: true,
  parameters: true,
  extraParameters: true,
  env: true,
  bindAddress: true,
  insecure: true,
  adopt: true,
});

export interface ModelDeploymentArgs extends z.input<typeof engine> {
  /** The host to run on. */
  host: Host;
  /** The model, pinned by SHA-256. */
  model: LockedModel;
  /** Access token of the hub that the model is from. */
  modelToken?: pulumi.Input<string>;
  /** Port to serve on; outside a stack file nothing chooses one. */
  port: number;
  /** What the host is, for backends that are installed differently on each. Default: as this machine, without accelerators. */
  platform?: Platform;
  /** UUIDs of the accelerators to use. */
  devices?: string[];
  /** Environment variables whose values are secrets. */
  secretEnv?: Record<string, pulumi.Input<string>>;
  /** Key that clients must send. */
  apiKey?: pulumi.Input<string>;
  /** What keeps the runner alive. Default: supervisord; an image runs in Docker. */
  runtime?: "systemd" | "supervisord";
  /** How long the runner must stay healthy. Default: 10. */
  minHealthySeconds?: number;
  /** How long the runner may take to become healthy. Default: 300. */
  healthyDeadlineSeconds?: number;
  /** How long the runner may take to stop. Default: 10. */
  stopSeconds?: number;
}

const thisMachine: Platform = {
  os: process.platform === "darwin" ? "darwin" : "linux",
  arch: process.arch === "arm64" ? "arm64" : "x64",
  acceleratorType: "cpu",
};

const packageRoot = fileURLToPath(new URL("../..", import.meta.url));

/**
 * One model served by one backend version on one host, for programs that decide host, port and devices themselves.
 * Everything is pinned: the model by SHA-256, the backend version by its file in `backends/`.
 */
export class ModelDeployment extends pulumi.ComponentResource {
  readonly instance: Instance;
  /** Base URL for OpenAI clients. */
  readonly endpoint: pulumi.Output<string>;

  constructor(name: string, args: ModelDeploymentArgs, options?: pulumi.ComponentResourceOptions) {
    super("berth:index:ModelDeployment", name, {}, options);
    const { desired, secretEnv } = resolve(name, args);
    const [backend] = desired.backendVersions;
    const [model] = desired.models;
    const [instance] = desired.instances;
    if (backend === undefined || model === undefined || instance === undefined)
      throw new Error("a deployment has one of each");
    // Several deployments may stand on one backend version or model; each has a resource of its own for it.
    const own = <T extends { name: string }>(needed: T): T => ({ ...needed, name: `${name}.${needed.name}` });
    const backendVersion = createBackendVersion(own(backend), args.host, undefined, this);
    const modelFiles = createModelFiles(own(model), args.host, secretOf(args.modelToken), this);
    this.instance = createInstance(
      instance,
      { backendVersion, model: modelFiles, secretEnv: pulumi.all(secretEnv) },
      this,
    );
    this.endpoint = this.instance.endpoint;
    this.registerOutputs({ endpoint: this.endpoint });
  }
}

function secretOf(value: pulumi.Input<string> | undefined): pulumi.Output<string> | undefined {
  return value === undefined ? undefined : pulumi.secret(value);
}

interface Resolved {
  readonly desired: DesiredStack;
  readonly secretEnv: Record<string, pulumi.Input<string>>;
}

function resolve(name: string, args: ModelDeploymentArgs): Resolved {
  const where = `deployment ${name}`;
  try {
    return decide(name, args, where);
  } catch (error) {
    throw toProgramError(error);
  }
}

/** The decisions of one deployment, in the form in which a lock has them. */
function decide(name: string, args: ModelDeploymentArgs, where: string): Resolved {
  const root = projectRootOf(pulumi.getRootDirectory(), process.cwd());
  const { host, model, port, apiKey, devices = [], runtime = "supervisord" } = args;
  const { bindAddress, insecure, adopt, ...deployed } = parseEngine(args, where);
  const catalogue = readCatalogue(root, packageRoot, [deployed.backend]);
  // A program waits for no index: what it deploys is pinned by its backend file.
  const release = resolveRelease({
    catalogue,
    deployment: deployed,
    model,
    platform: args.platform ?? thisMachine,
    where,
  });
  const secretEnv = { ...args.secretEnv, ...(apiKey === undefined ? {} : { [keyVariable(release, where)]: apiKey }) };
  const placed = {
    deployment: name,
    host: host.reference.name,
    devices,
    runtime: release.install.method === "image" ? ("docker" as const) : runtime,
    port,
    bindAddress: allowAddress({ bindAddress, insecure }, apiKey !== undefined, where),
    secretEnv: Object.fromEntries(Object.keys(secretEnv).map((variable) => [variable, variable])),
    minHealthySeconds: args.minHealthySeconds ?? 10,
    healthyDeadlineSeconds: args.healthyDeadlineSeconds ?? 300,
    stopSeconds: args.stopSeconds ?? 10,
    ...(adopt === undefined ? {} : { adopt }),
  };
  const { name: hostName, ...reference } = host.reference;
  const hosts = { [hostName]: { ...reference, labels: {} } };
  const placement = { hosts, instances: { [name]: placed } };
  return { desired: desiredStack({ release: { [name]: release }, placement }, root), secretEnv };
}

function parseEngine(args: ModelDeploymentArgs, where: string): z.output<typeof engine> {
  const fields = Object.entries(args).filter(([field]) => field in engine.shape);
  const parsed = engine.safeParse(Object.fromEntries(fields));
  if (parsed.success) return parsed.data;
  throw new BerthError("stack-inconsistent", {
    where,
    what: "the arguments are not well-formed",
    detail: z.prettifyError(parsed.error),
  });
}
