import type * as pulumi from "@pulumi/pulumi";

import type {
  DesiredBackendVersion,
  DesiredGateway,
  DesiredHost,
  DesiredInstance,
  DesiredModel,
} from "../planner/desired.js";
import { BackendVersion, Gateway, Host, Instance, ModelFiles } from "./resources.js";

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
  const { name, backend, version, install, pipxPath, retention, indexUrl, downloadBaseUrl } = desired;
  const { pullFrom, login, neverPull } = desired.image ?? {};
  const pulling = { pullFrom, registryUser: login?.username, registryPassword, neverPull: neverPull && [...neverPull] };
  const settings = { ...pulling, pipxPath, retention, indexUrl, downloadBaseUrl };
  const args = { host: desired.host, backend, version, ...defined({ ...install, ...settings }) };
  return new BackendVersion(name, { ...args, method: install.method }, { parent, dependsOn: host });
}

export function createModelFiles(
  { name, host: reference, model, indexUrl, hubEndpoint }: DesiredModel,
  host: Host,
  token: pulumi.Input<string> | undefined,
  parent: pulumi.Resource = host,
): ModelFiles {
  const { from, file, sha256 } = model;
  return new ModelFiles(
    name,
    { host: reference, from, file, sha256, ...defined({ indexUrl, hubEndpoint, token }) },
    { parent, dependsOn: host },
  );
}

export function createGateway({ name, host: reference, haproxy, runtime }: DesiredGateway, host: Host): Gateway {
  return new Gateway(name, { host: reference, haproxy, runtime }, { parent: host, dependsOn: host });
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
  /** What has to be verified before it changes. */
  readonly after?: readonly pulumi.Resource[];
}

export function createInstance(desired: DesiredInstance, needs: InstanceNeeds, parent: pulumi.Resource): Instance {
  const { name, host, placed, release, modelPath, argv, env, container, rollout } = desired;
  const { backendVersion, model, gateway, networks = [], after = [] } = needs;
  return new Instance(
    name,
    {
      host,
      deployment: placed.deployment,
      backend: release.backend,
      backendVersion: release.backendVersion,
      installation: backendVersion.installation,
      modelSha256: release.model.sha256,
      modelPath,
      placement: model.placement,
      runtime: placed.runtime,
      argv: [...argv],
      env: { ...env, ...release.env },
      secretEnv: needs.secretEnv,
      bindAddress: placed.bindAddress,
      port: placed.port,
      ...defined({ slots: placed.slots, drainSeconds: placed.drainSeconds, adopt: placed.adopt }),
      ...(placed.devices.length === 0 ? {} : { devices: placed.devices }),
      ...defined({ memory: placed.memory }),
      servedModel: release.servedModel ?? placed.deployment,
      ...keyVariable(desired),
      healthPath: release.healthPath,
      ...defined({ container, healthRequest: release.healthRequest, category: release.category }),
      minHealthySeconds: placed.minHealthySeconds,
      healthyDeadlineSeconds: placed.healthyDeadlineSeconds,
      stopSeconds: placed.stopSeconds,
      ...defined({ maxSurge: placed.maxSurge, maxUnavailable: placed.maxUnavailable, rollout }),
    },
    {
      parent,
      dependsOn: [backendVersion, model, ...(gateway === undefined ? [] : [gateway]), ...networks, ...after],
    },
  );
}

/** The engine's key variable, when the deployment gives it a key. */
function keyVariable({ release, placed }: DesiredInstance): { apiKeyVariable?: string } {
  const { apiKeyVariable } = release;
  return apiKeyVariable !== undefined && apiKeyVariable in placed.secretEnv ? { apiKeyVariable } : {};
}

function defined<T extends Record<string, unknown>>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
