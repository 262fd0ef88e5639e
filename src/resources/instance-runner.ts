/** From an instance's inputs to what its supervisor runs and its health ladder asks. Pure. */
import { openPort } from "../catalog/runner-command.js";
import { probeAddress, type ProbeTarget } from "../health/probe.js";
import type { Asked } from "../runtime/gateway.js";
import { runnerId } from "../runtime/runner-id.js";
import type { RunnerDefinition, RunnerSpec } from "../runtime/supervisor.js";
import { generationFolder, nameGeneration, type InstanceRecord } from "./instance-files.js";
import type { InstanceInputs } from "./instance-inputs.js";
import type { Generation } from "./instance-plan.js";
import { tokenPath } from "./ray-node.js";
import { subordinateFolder } from "./subordinate-part.js";

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Base URL for OpenAI clients on the host. */
export function endpointOf({ bindAddress, port }: Pick<InstanceInputs, "bindAddress" | "port">): string {
  const address = probeAddress(bindAddress);
  return `http://${address.includes(":") ? `[${address}]` : address}:${port}/v1`;
}

/** Where the gateway is to listen for clients of the instance. */
export function askedAt({ name, bindAddress, port }: InstanceInputs): Asked {
  return { instance: name, address: bindAddress, port };
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

/** What the health ladder asks of a runner that listens on a port behind the gateway, or that is asked itself. */
export function behindGateway<T extends RecordedTarget | ProbeTarget>(target: T, port: number | undefined): T {
  return port === undefined ? target : { ...target, address: "127.0.0.1", port };
}

/** The name of what the inputs ask to be run; behind a gateway it is the same on either port. */
export function desiredGeneration(inputs: InstanceInputs, folder: string, salt: string): Generation {
  const {
    argv,
    installation,
    placement,
    runtime,
    slots,
    container: settings,
    bindAddress,
    port,
    subordinates,
  } = inputs;
  const spec = { argv, environment: environmentOf(inputs, folder) };
  const ports = slots === undefined ? {} : { slots: [...slots] };
  // Of a process the place to listen at is in its arguments.
  const published = slots === undefined ? { bindAddress, port } : {};
  const container = settings === undefined ? {} : { container: { settings, ...published } };
  const others = subordinates === undefined ? {} : { subordinates };
  return nameGeneration(salt, spec, { installation, placement, runtime, ...ports, ...container, ...others });
}

/** What the inputs ask to be run; behind a gateway on the given port. */
export function desiredRunner(
  inputs: InstanceInputs,
  folder: string,
  salt: string,
  port?: number,
): RunnerSpec & { generation: Generation } {
  const generation = desiredGeneration(inputs, folder, salt);
  const environment = environmentOf(inputs, folder);
  const definition = runnerDefinition(inputs, folder, generation, undefined);
  const { container: settings, installation: imageId, bindAddress, slots } = inputs;
  if (settings === undefined) {
    const argv = port === undefined ? inputs.argv : inputs.argv.map((word) => word.replaceAll(openPort, String(port)));
    return { ...definition, argv, environment, generation };
  }
  const { owner, name: instance, deployment, host } = inputs;
  const identity = { owner, instance, deployment, host: host.name, dataDir: host.dataDir, generation };
  // Behind a gateway nobody else asks it.
  const place = { bindAddress: slots === undefined ? bindAddress : "127.0.0.1", port: port ?? inputs.port };
  const container = { settings, identity, imageId, ...place };
  return { ...definition, argv: inputs.argv, environment, container, generation };
}

/** What the inputs ask to be in a runner's environment. An image brings its own search path and home. */
export function environmentOf(
  { env, secretEnv, container, ...group }: GroupInputs & Pick<InstanceInputs, "env" | "secretEnv" | "container">,
  folder: string,
): Record<string, string> {
  const base = container === undefined ? { PATH: searchPath, HOME: folder, LANG: "C.UTF-8" } : {};
  const head = headFolder(group);
  return { ...base, ...env, ...secretEnv, ...(head === undefined ? {} : { RAY_AUTH_TOKEN_PATH: tokenPath(head) }) };
}

/** What tells of the instance's Ray cluster. */
export interface GroupInputs extends Pick<InstanceInputs, "owner" | "host"> {
  readonly subordinates?:
    readonly { readonly name: string; readonly ray?: "head" | "member" | undefined }[] | undefined;
}

/** The folder of the head of its Ray cluster, which is on the same host; undefined where it has none. */
export function headFolder({ owner, host, subordinates = [] }: GroupInputs): string | undefined {
  const head = subordinates.find(({ ray }) => ray === "head");
  return head === undefined ? undefined : subordinateFolder(host, owner, head.name);
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
