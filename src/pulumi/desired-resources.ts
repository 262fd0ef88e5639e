import * as pulumi from "@pulumi/pulumi";

import { defined } from "../lib/record.js";
import type {
  DesiredBackendVersion,
  DesiredGateway,
  DesiredHost,
  DesiredInstance,
  DesiredModel,
} from "../planner/desired.js";
import type { DesiredModelGateway } from "../planner/desired-model-gateway.js";
import type { DesiredSubordinate } from "../planner/desired-subordinates.js";
import {
  desiredBackendVersionInputs,
  desiredInstanceInputs,
  desiredModelGatewayInputs,
  desiredModelInputs,
  desiredSubordinateInputs,
} from "../resources/desired-inputs.js";
import {
  BackendVersion,
  Gateway,
  Host,
  Instance,
  ModelFiles,
  ModelGateway,
  ModelRoutes,
  Subordinate,
} from "./resources.js";

/** From what a lock asks for to Pulumi's resources. */

export function createHost(
  { name, host, labels, inventory }: DesiredHost,
  parent: pulumi.Resource,
  dependsOn: pulumi.Resource[] = [],
): Host {
  return new Host(name, { host, labels: { ...labels }, inventory: [...inventory] }, { parent, dependsOn });
}

/** @param registryPassword of the registry that its image is pulled from, if the stack names a login */
export function createBackendVersion(
  desired: DesiredBackendVersion,
  host: Host,
  registryPassword?: pulumi.Input<string>,
  parent: pulumi.Resource = host,
): BackendVersion {
  const args = desiredBackendVersionInputs(desired);
  const password = registryPassword === undefined ? {} : { registryPassword };
  return new BackendVersion(desired.name, { ...args, ...password }, { parent, dependsOn: host });
}

export function createModelFiles(
  desired: DesiredModel,
  host: Host,
  token: pulumi.Input<string> | undefined,
  parent: pulumi.Resource = host,
): ModelFiles {
  const args = { ...desiredModelInputs(desired), ...(token === undefined ? {} : { token }) };
  return new ModelFiles(desired.name, args, { parent, dependsOn: host });
}

export function createGateway({ name, host: reference, haproxy, runtime }: DesiredGateway, host: Host): Gateway {
  return new Gateway(name, { host: reference, haproxy, runtime }, { parent: host, dependsOn: host });
}

/** What a gateway that routes by model is given beside the lock. */
export interface ModelGatewaySecrets {
  readonly clientKeys: pulumi.Input<Record<string, string>>;
  readonly apiKeys: pulumi.Input<Record<string, string>>;
}

export function createModelGateway(
  desired: DesiredModelGateway,
  host: Host,
  secrets: ModelGatewaySecrets,
): ModelGateway {
  const args = { ...desiredModelGatewayInputs(desired), ...secrets };
  return new ModelGateway(desired.name, args, { parent: host, dependsOn: host });
}

/** @param after the gateway, and what has to be verified before it leads there */
export function createModelRoutes(
  desired: DesiredModelGateway,
  host: Host,
  secrets: ModelGatewaySecrets,
  after: readonly pulumi.Resource[],
): ModelRoutes {
  const args = { ...desiredModelGatewayInputs(desired), ...secrets };
  return new ModelRoutes(desired.routesName, args, { parent: host, dependsOn: [...after] });
}

/** What a subordinate stands on. */
export interface SubordinateNeeds {
  readonly host: Host;
  readonly backendVersion: BackendVersion;
  /** Of the Ray cluster that it is a member of. */
  readonly head?: Subordinate | undefined;
  /** That it reads by itself. */
  readonly model?: ModelFiles | undefined;
  /** What has to be verified before it changes. */
  readonly after?: readonly pulumi.Resource[];
}

export function createSubordinate(
  desired: DesiredSubordinate,
  { host, backendVersion, head, model, after = [] }: SubordinateNeeds,
): Subordinate {
  const { installation } = backendVersion;
  const joined =
    head === undefined
      ? {}
      : {
          head: pulumi.output({ start: head.start, versions: head.versions }),
          token: pulumi.secret(head.clusterToken),
        };
  const given = { ...joined, ...defined({ placement: model?.placement }) };
  const needed = [host, backendVersion, head, model, ...after].filter((each) => each !== undefined);
  const args = { ...desiredSubordinateInputs(desired), installation, ...given };
  return new Subordinate(desired.name, args, { parent: host, dependsOn: needed });
}

/** What an instance stands on. */
export interface InstanceNeeds {
  readonly backendVersion: BackendVersion;
  readonly model: ModelFiles;
  /** Of its host, when it has slots. */
  readonly gateway?: Gateway | undefined;
  /** That its container joins. */
  readonly networks?: readonly pulumi.Resource[];
  readonly secretEnv: pulumi.Input<Record<string, string>>;
  /** What it has on other hosts, in the order in which its arguments name them. */
  readonly subordinates?: readonly Subordinate[];
  /** What has to be verified before it changes. */
  readonly after?: readonly pulumi.Resource[];
}

export function createInstance(desired: DesiredInstance, needs: InstanceNeeds, parent: pulumi.Resource): Instance {
  const { backendVersion, model, gateway, secretEnv, networks = [], subordinates = [], after = [] } = needs;
  const { installation } = backendVersion;
  const others = subordinates.map(({ subordinateName: name, backendVersion: version, start }, index) => {
    return { name, backendVersion: version, start, ...defined({ ray: desired.placed.subordinates?.[index]?.ray }) };
  });
  return new Instance(
    desired.name,
    {
      ...{ ...desiredInstanceInputs(desired), installation, placement: model.placement, secretEnv },
      ...(others.length === 0 ? {} : { subordinates: pulumi.output(others) }),
    },
    {
      parent,
      dependsOn: [
        ...[backendVersion, model, ...(gateway === undefined ? [] : [gateway])],
        ...[...networks, ...subordinates, ...after],
      ],
    },
  );
}
