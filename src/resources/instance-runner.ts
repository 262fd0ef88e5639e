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
  const { bindAddress, port, healthPath, servedModel, apiKeyVariable, secretEnv } = inputs;
  const apiKey = apiKeyVariable === undefined ? undefined : secretEnv[apiKeyVariable];
  return { address: bindAddress, port, healthPath, model: servedModel, apiKey };
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
