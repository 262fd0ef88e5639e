import * as pulumi from "@pulumi/pulumi";

import type { HostReference } from "../host/host.js";
import type { BackendVersionInputs } from "../resources/backend-version-inputs.js";
import type { GatewayInputs } from "../resources/gateway.js";
import type { HostInputs } from "../resources/host.js";
import type { InstanceInputs } from "../resources/instance-inputs.js";
import type { ModelFilesInputs } from "../resources/model-files-inputs.js";
import type { ModelGatewayInputs } from "../resources/model-gateway-inputs.js";
import type { SubordinateInputs } from "../resources/subordinate-inputs.js";
import type { HostFacts } from "../schema/facts.js";
import type { UsedMemory } from "../schema/placement.js";
import { shim } from "./shim.js";

/** Arguments as Pulumi programs give them: each may be the output of another resource. */
type Args<Inputs, Optional extends keyof Inputs> = {
  [Field in Exclude<keyof Inputs, Optional>]: pulumi.Input<Inputs[Field]>;
} & { [Field in Optional]?: pulumi.Input<Exclude<Inputs[Field], undefined>> };

/** Taken from the Pulumi program when left out: its project and stack, and the resource's name. */
type Given = "owner" | "name";

export type HostArgs = Omit<Args<HostInputs, Given | "labels" | "inventory">, "host"> & {
  /** Plain, because programs compute paths from it. */
  host: HostReference;
};
export type BackendVersionArgs = Args<
  BackendVersionInputs,
  Exclude<keyof BackendVersionInputs, "host" | "backend" | "version" | "method">
>;
export type ModelFilesArgs = Args<ModelFilesInputs, Given | "indexUrl" | "hubEndpoint" | "token">;
export type GatewayArgs = Args<GatewayInputs, Given>;
export type ModelGatewayArgs = Args<ModelGatewayInputs, Given | "certFile">;
export type InstanceArgs = Args<
  InstanceInputs,
  | Given
  | "container"
  | "slots"
  | "drainSeconds"
  | "adopt"
  | "devices"
  | "memory"
  | "subordinates"
  | "env"
  | "secretEnv"
  | "apiKeyVariable"
  | "healthRequest"
  | "category"
  | "maxSurge"
  | "maxUnavailable"
  | "rollout"
  | "strategy"
>;

export type SubordinateArgs = Args<
  SubordinateInputs,
  Given | "ray" | "head" | "token" | "placement" | "serverPort" | "haproxy" | "env" | "devices" | "memory"
>;

/** One object for each kind, because Pulumi serialises each object anew. */
const providers = {
  Host: shim("Host"),
  BackendVersion: shim("BackendVersion"),
  ModelFiles: shim("ModelFiles"),
  Gateway: shim("Gateway"),
  Instance: shim("Instance"),
  ModelGateway: shim("ModelGateway"),
  ModelRoutes: shim("ModelRoutes"),
  Subordinate: shim("Subordinate"),
};

/** What all resources of Berth have. */
abstract class BerthResource extends pulumi.dynamic.Resource {
  /** What is not as desired, one sentence each; empty when all is well. */
  declare readonly drift: pulumi.Output<string[]>;
  /** False while its host does not answer: everything else is then as it was known last. */
  declare readonly reachable: pulumi.Output<boolean>;

  protected constructor(
    kind: keyof typeof providers,
    name: string,
    args: pulumi.Inputs,
    outputs: readonly string[],
    options: pulumi.CustomResourceOptions | undefined,
  ) {
    const owner = `${pulumi.getProject()}/${pulumi.getStack()}`;
    const unset = Object.fromEntries([...outputs, "drift", "reachable"].map((output) => [output, undefined]));
    const limit = Error.stackTraceLimit;
    // Pulumi takes four stacks for each property, in case its promise is never kept: nearly all of the time that a
    // program with many resources took to make them.
    Error.stackTraceLimit = 0;
    try {
      super(providers[kind], name, { owner, name, ...args, ...unset }, options, "berth", kind);
    } catch (error) {
      Error.stackTraceLimit = limit;
      if (error instanceof Error) Error.captureStackTrace(error);
      throw error;
    } finally {
      Error.stackTraceLimit = limit;
    }
  }
}

/** A machine that runs inference. Creating it prepares its data directory; nothing is on it that nobody knows of. */
export class Host extends BerthResource {
  /** How other resources name this host. */
  readonly reference: HostReference;
  declare readonly facts: pulumi.Output<HostFacts>;

  constructor(name: string, args: HostArgs, options?: pulumi.CustomResourceOptions) {
    super("Host", name, args, ["facts"], options);
    this.reference = args.host;
  }
}

/** A pinned backend version on a host, installed in an environment of its own and verified file by file. */
export class BackendVersion extends BerthResource {
  declare readonly executable: pulumi.Output<string>;
  /** Changes when it is installed anew. */
  declare readonly installation: pulumi.Output<string>;

  constructor(name: string, args: BackendVersionArgs, options?: pulumi.CustomResourceOptions) {
    super("BackendVersion", name, args, ["executable", "installation"], options);
  }
}

/** A pinned model on a host, verified by its SHA-256. */
export class ModelFiles extends BerthResource {
  declare readonly path: pulumi.Output<string>;
  declare readonly sizeBytes: pulumi.Output<number>;
  /** Changes when the file is put in place anew. */
  declare readonly placement: pulumi.Output<string>;

  constructor(name: string, args: ModelFilesArgs, options?: pulumi.CustomResourceOptions) {
    super("ModelFiles", name, args, ["path", "sizeBytes", "placement"], options);
  }
}

/** What clients ask on a host, in front of the runners of instances that have slots. */
export class Gateway extends BerthResource {
  constructor(name: string, args: GatewayArgs, options?: pulumi.CustomResourceOptions) {
    super("Gateway", name, args, [], options);
  }
}

/** One replica of a deployment. It is created, and updated, when it has answered a real request. */
export class Instance extends BerthResource {
  /** Base URL for OpenAI clients. */
  declare readonly endpoint: pulumi.Output<string>;
  /** The rung of the health ladder that was reached. */
  declare readonly health: pulumi.Output<string>;
  /** How often its runner came back by itself since it was verified. */
  declare readonly restarts: pulumi.Output<number>;
  /** Names what runs: equal for what runs equally. */
  declare readonly generation: pulumi.Output<string>;
  /** What its runner had of its host and its devices when it was verified; undefined where that could not be told. */
  declare readonly usedMemory: pulumi.Output<UsedMemory | undefined>;

  constructor(name: string, args: InstanceArgs, options?: pulumi.CustomResourceOptions) {
    super("Instance", name, args, ["endpoint", "health", "restarts", "generation", "usedMemory"], options);
  }
}

/** One endpoint for all models, on a host: its process, which knows the replicas that there are to be. */
export class ModelGateway extends BerthResource {
  constructor(name: string, args: ModelGatewayArgs, options?: pulumi.CustomResourceOptions) {
    super("ModelGateway", name, args, [], options);
  }
}

/** What such a gateway serves: names of models, keys and limits. It is updated when all replicas are reached. */
export class ModelRoutes extends BerthResource {
  constructor(name: string, args: ModelGatewayArgs, options?: pulumi.CustomResourceOptions) {
    super("ModelRoutes", name, args, [], options);
  }
}

/** What an instance has beside its primary: on another host, or a head of a Ray cluster. It is there before its primary, and goes after it. */
export class Subordinate extends BerthResource {
  /** Changes when it is started anew: a primary that was started with another one has lost what it had there. */
  declare readonly start: pulumi.Output<string>;
  declare readonly backendVersion: pulumi.Output<string>;
  /** Of a node of a Ray cluster: those of Ray and Python, which are the same on all nodes. */
  declare readonly versions: pulumi.Output<string>;
  /** Of the head of a Ray cluster: what its nodes know each other by. A secret. */
  declare readonly clusterToken: pulumi.Output<string>;
  /** How instances name it. */
  readonly subordinateName: string;

  constructor(name: string, args: SubordinateArgs, options?: pulumi.CustomResourceOptions) {
    const outputs = args.ray === undefined ? ["start"] : ["start", "versions", "clusterToken"];
    const secret = args.ray === undefined ? {} : { additionalSecretOutputs: ["clusterToken"] };
    super("Subordinate", name, args, outputs, { ...options, ...secret });
    this.subordinateName = name;
  }
}
