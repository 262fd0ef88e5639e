/**
 * What a lock asks of a resource as plain inputs: all but its name and owner, its secrets, and what comes from other
 * resources' outputs. Pure.
 */
import { defined } from "../lib/record.js";
import type { DesiredBackendVersion, DesiredInstance, DesiredModel } from "../planner/desired.js";
import type { DesiredModelGateway } from "../planner/desired-model-gateway.js";
import type { DesiredSubordinate } from "../planner/desired-subordinates.js";
import type { DesiredVerification } from "../planner/desired-commands.js";
import { fillPlaceholders } from "../schema/commands.js";
import { endpointOf } from "./instance-runner.js";

/** Without `registryPassword`. */
export function desiredBackendVersionInputs(desired: DesiredBackendVersion) {
  const { host, backend, version, install, pipxPath, retention, indexUrl, downloadBaseUrl } = desired;
  const { pullFrom, login, neverPull } = desired.image ?? {};
  const pulling = { pullFrom, registryUser: login?.username, neverPull: neverPull && [...neverPull] };
  const settings = { ...pulling, pipxPath, retention, indexUrl, downloadBaseUrl };
  return { host, backend, version, ...defined({ ...install, ...settings }), method: install.method };
}

/** Without `token`. */
export function desiredModelInputs({ host, model, indexUrl, hubEndpoint }: DesiredModel) {
  const { from, file, sha256 } = model;
  return { host, from, file, sha256, ...defined({ indexUrl, hubEndpoint }) };
}

/** Without `installation`, `placement`, `secretEnv` and `strategy`. */
export function desiredInstanceInputs(desired: DesiredInstance) {
  const { host, placed, release, modelPath, argv, env, container, rollout } = desired;
  return {
    host,
    deployment: placed.deployment,
    backend: release.backend,
    backendVersion: release.backendVersion,
    modelSha256: release.model.sha256,
    modelPath,
    runtime: placed.runtime,
    argv: [...argv],
    env: { ...env, ...release.env },
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
  };
}

/** Without `clientKeys` and `apiKeys`. */
export function desiredModelGatewayInputs(desired: DesiredModelGateway) {
  const { keySecrets: _keys, apiKeySecrets: _apiKeys, certFile, ...rest } = desired;
  const { name: _, routesName: _routesName, endpoint: _endpoint, ...inputs } = rest;
  return { ...inputs, ...defined({ certFile }) };
}

/** Without `installation`, and of a member of a Ray cluster without `head` and `token`. */
export function desiredSubordinateInputs(desired: DesiredSubordinate) {
  const { host, instance, placed, release, executable, ray, address, admits, env } = desired;
  const { runtime, port, serverPort, haproxy, devices, memory } = placed;
  return {
    ...{ host, instance, executable, runtime, address, port, admits, env: { ...env } },
    ...{ backend: release.backend, backendVersion: release.backendVersion },
    ...defined({ serverPort, haproxy, memory }),
    ...(ray === undefined ? {} : { ray: { role: ray.role, headAddress: ray.headAddress, devices: ray.devices } }),
    ...(devices.length === 0 ? {} : { devices }),
  };
}

/** What a `verify` command runs: its text with its placeholders filled in. */
export function verificationText({ instancePlaced, servedModel, placed }: DesiredVerification): string {
  const port = String(instancePlaced.port);
  const values = { endpoint: endpointOf(instancePlaced), model_name: servedModel, port };
  return fillPlaceholders(placed.command, values);
}

/** The engine's key variable, when the deployment gives it a key. */
function keyVariable({ release, placed }: DesiredInstance): { apiKeyVariable?: string } {
  const { apiKeyVariable } = release;
  return apiKeyVariable !== undefined && apiKeyVariable in placed.secretEnv ? { apiKeyVariable } : {};
}
