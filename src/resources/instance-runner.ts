/** From an instance's inputs to what its supervisor runs and its health ladder asks. Pure. */
import { probeAddress, type ProbeTarget } from "../health/probe.js";
import type { RunnerDefinition, RunnerSpec } from "../runtime/supervisor.js";
import { generationFolder, nameGeneration, runnerId, type InstanceRecord } from "./instance-files.js";
import type { InstanceInputs } from "./instance-inputs.js";
import type { Generation } from "./instance-plan.js";

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Base URL for OpenAI clients on the host. */
export function endpointOf({ bindAddress, port }: Pick<InstanceInputs, "bindAddress" | "port">): string {
  const address = probeAddress(bindAddress);
  return `http://${address.includes(":") ? `[${address}]` : address}:${port}/v1`;
}

export function probeTarget(inputs: InstanceInputs): ProbeTarget {
  return withKey(recordedTarget(inputs), inputs.secretEnv);
}

type RecordedTarget = NonNullable<InstanceRecord["target"]>;

/** What the health ladder asks, as it may be written down: the key by the name of its variable. */
export function recordedTarget(inputs: InstanceInputs): RecordedTarget {
  const { bindAddress, port, healthPath, servedModel, modelPath, healthRequest, category, apiKeyVariable } = inputs;
  return {
    address: bindAddress,
    port,
    healthPath,
    model: servedModel,
    modelPath,
    ...(healthRequest === undefined ? {} : { request: healthRequest }),
    ...(category === undefined ? {} : { category }),
    ...(apiKeyVariable === undefined ? {} : { apiKeyVariable }),
  };
}

export function withKey(target: RecordedTarget, environment: Readonly<Record<string, string>>): ProbeTarget {
  const { apiKeyVariable, ...rest } = target;
  return { ...rest, apiKey: apiKeyVariable === undefined ? undefined : environment[apiKeyVariable] };
}

/** What the inputs ask to be run. */
export function desiredRunner(
  inputs: InstanceInputs,
  folder: string,
  salt: string,
): RunnerSpec & { generation: Generation } {
  const environment = { PATH: searchPath, HOME: folder, LANG: "C.UTF-8", ...inputs.env, ...inputs.secretEnv };
  const { argv, installation, placement, runtime } = inputs;
  const generation = nameGeneration(salt, { argv, environment }, { installation, placement, runtime });
  return { ...runnerDefinition(inputs, folder, generation, undefined), argv, environment, generation };
}

/** How the supervisor knows a generation; with the times that it was started with, when that is recorded. */
export function runnerDefinition(
  inputs: Pick<InstanceInputs, "healthyDeadlineSeconds" | "stopSeconds">,
  folder: string,
  generation: Generation,
  record: InstanceRecord | undefined,
): RunnerDefinition {
  const recorded = generation === record?.current ? record : undefined;
  return {
    id: runnerId(folder, generation),
    folder: generationFolder(folder, generation),
    startSeconds: recorded?.startSeconds ?? inputs.healthyDeadlineSeconds,
    stopSeconds: recorded?.stopSeconds ?? inputs.stopSeconds,
  };
}
