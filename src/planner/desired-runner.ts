/** What an instance is started with, as a process or in a container. Pure. */
import { posix } from "node:path";

import { parseImageReference } from "../catalog/image-reference.js";
import {
  openPort,
  placeholderValues,
  renderRunnerTemplates,
  type RunnerCommand,
  type RunnerForm,
} from "../catalog/runner-command.js";
import type { HostReference } from "../host/host.js";
import { dataPaths, executablePath, modelPath } from "../host/paths.js";
import { containerSettings, type ContainerSettings } from "../schema/container.js";
import type { HostFacts } from "../schema/facts.js";
import type { LockedDeployment, PlacedInstance } from "../schema/lock.js";
import { containerDevices, visibleDevices } from "./container-devices.js";
import { deviceVariables } from "./device-variables.js";

export interface RunnerProblem {
  readonly release: LockedDeployment;
  readonly placed: PlacedInstance;
  readonly host: HostReference;
  /** The image by its digest, as the host's engine names it; undefined for a process. */
  readonly image: string | undefined;
  /** Programs decide before they know facts. */
  readonly facts: Pick<HostFacts, "accelerators"> | undefined;
}

export interface DesiredRunner {
  readonly modelPath: string;
  /** Of a container its arguments, after the entrypoint. */
  readonly argv: readonly string[];
  /** Which devices a process sees. A container is given no others. */
  readonly env: Readonly<Record<string, string>>;
  readonly container: ContainerSettings | undefined;
}

export function desiredRunner(problem: RunnerProblem): DesiredRunner {
  const { release, placed, host, image } = problem;
  const { from, sha256, file } = release.model;
  const path = from.source === "file" ? from.path : modelPath(host.dataDir, sha256, file);
  const { argv, entrypoint } = runnerCommand(problem, path);
  if (image !== undefined)
    return { modelPath: path, argv, env: {}, container: containerOf(problem, entrypoint, image, path) };
  return { modelPath: path, argv, env: deviceVariables(placed.devices, problem.facts), container: undefined };
}

/** The image by its digest, as an engine names what it pulled. */
export function imageName(reference: string, digest: string): string {
  return `${parseImageReference(reference).name}@${digest}`;
}

/** The model lies in the container where it lies on the host, so that a path means the same in both. */
function containerOf(
  { release, placed, host, facts }: RunnerProblem,
  entrypoint: readonly string[] | undefined,
  image: string,
  path: string,
): ContainerSettings {
  const { from, sha256 } = release.model;
  const model = from.source === "file" ? path : posix.join(dataPaths(host.dataDir).models, sha256);
  const devices = containerDevices(visibleDevices(placed.devices, facts), facts, `deployment ${placed.deployment}`);
  const { cachePath, ...settings } = release.container ?? {};
  const cache = posix.join(dataPaths(host.dataDir).cache, "engines", release.backend);
  return containerSettings.parse({
    ...settings,
    ...placed.limits,
    image,
    ...(entrypoint === undefined ? {} : { entrypoint }),
    containerPort: placed.port,
    mounts: [{ source: model, target: model }],
    ...(cachePath === undefined ? {} : { cache: { source: cache, target: cachePath } }),
    ...(devices === undefined ? {} : { devices }),
    networks: placed.networks ?? [],
  });
}

/** The engine's executable or the image's entrypoint, the command filled in, then the parameters. */
function runnerCommand({ release, placed, host, image }: RunnerProblem, path: string): RunnerCommand {
  const { backend, backendVersion, entrypoint, runCommand, parameters, projectorFlag, env, model } = release;
  const origin = { from: "version" } as const;
  const templates = {
    entrypoint: entrypoint === undefined ? undefined : { text: entrypoint, origin },
    runCommand: { text: runCommand, origin },
    env,
  };
  const projectorPath =
    model.projector === undefined ? undefined : modelPath(host.dataDir, model.sha256, model.projector);
  const direct = placed.slots === undefined;
  const place = placeholderValues({
    modelPath: path,
    projectorPath,
    modelName: release.servedModel ?? placed.deployment,
    // Behind a gateway nobody else asks the runner.
    bindAddress: direct ? placed.bindAddress : "127.0.0.1",
    port: placed.port,
    containerPort: image === undefined ? undefined : placed.port,
    devices: placed.devices,
  });
  // Of a container only the published port is another one.
  const values = direct || image !== undefined ? place : { ...place, port: openPort };
  const form: RunnerForm =
    image === undefined
      ? { kind: "process", executable: executablePath(host, backend, backendVersion) }
      : { kind: "container", image };
  const projector = projectorFlag === undefined || projectorPath === undefined ? [] : [projectorFlag, projectorPath];
  return renderRunnerTemplates(
    templates,
    form,
    values,
    [...projector, ...parameters, ...(placed.arguments ?? [])],
    `backends/${backend}.yaml`,
  );
}
