import { readLlamaArguments, splitCount } from "../model/llama-arguments.js";
import { groupsOf, readVllmArguments } from "../model/vllm-arguments.js";
import { whyNoLora } from "../model/vllm-lora.js";
import { hostWays } from "./host-ways.js";
import type { GroupWay } from "./group-way.js";
import { llamaGroup } from "./llama-group.js";
import { llamaWays } from "./llama-ways.js";
import { vllmWays } from "./vllm-ways.js";
import { plainMemory, type Way, type WayProblem, type Ways } from "./way.js";

/** Names, places, threads and what is said in the log. */
const harmlessVariables =
  /^LLAMA_ARG_(?:HOST|PORT|ALIAS|THREADS.*|TIMEOUT|API_PREFIX|STATIC_PATH|NO_WEBUI|WEBUI|ENDPOINT_.*|JINJA|CHAT_TEMPLATE.*|THINK.*|NO_PERF|LOG_.*)$/;

/**
 * The ways in which a replica can run, on hosts of one kind. Where the memory is stated, that counts; where it is not
 * known, devices are taken whole. Pure.
 *
 * @throws BerthError `usage` for parameters that contradict each other; `model-unavailable` for a model that cannot be
 * understood
 */
export function listWays(problem: WayProblem): Ways {
  const { deployment, engine, devices, parameters } = problem;
  const group = groupOf(problem);
  if (devices.kind === "none") return { ways: [hostWays(problem)], remedies: () => [], note: undefined, group };
  if (deployment.resources?.vramBytes !== undefined) return only(statedWay(problem));
  if (engine.kind === "unknown") return only(wholeWay(problem), engine.reason);
  const { model } = engine;
  const read = model.engine === "vllm" ? readVllmArguments(parameters) : readLlamaArguments(parameters);
  const variable = model.engine === "llama-cpp" ? problem.variables.find(isLlamaVariable) : undefined;
  const odd = variable ?? (read.kind === "unknown" ? read.flag : undefined);
  if (odd !== undefined) return only(wholeWay(problem), `what ${odd} does to the memory is not worked out`);
  const adapted = model.engine === "vllm" && hasLora(read) ? whyNoLora(model.model.tensors) : undefined;
  if (adapted !== undefined) return only(wholeWay(problem), adapted);
  const found = model.engine === "vllm" ? vllmWays(problem, model.model) : llamaWays(problem, model.model);
  return { ...found, note: undefined, group };
}

/** What the stack states is of one host, and what nobody knows cannot be shared out. */
function groupOf(problem: WayProblem): GroupWay | undefined {
  const { distributed, engine, deployment, variables } = problem;
  if (distributed === undefined || deployment.resources !== undefined || variables.some(isLlamaVariable))
    return undefined;
  return engine.kind === "known" && engine.model.engine === "llama-cpp"
    ? llamaGroup(problem, engine.model.model)
    : undefined;
}

function hasLora(read: ReturnType<typeof readVllmArguments> | ReturnType<typeof readLlamaArguments>): boolean {
  return read.kind === "known" && "lora" in read.options && read.options.lora !== undefined;
}

function only(way: Way, note?: string): Ways {
  return { ways: [way], remedies: () => [], note };
}

/** llama.cpp takes its parameters by variables too. */
function isLlamaVariable(name: string): boolean {
  return name.startsWith("LLAMA_ARG_") && !harmlessVariables.test(name);
}

/** What the stack says. */
function statedWay(problem: WayProblem): Way {
  const { devices, deployment } = problem;
  const { vramBytes = 0, ramBytes = 0 } = deployment.resources ?? {};
  const count = countOf(problem);
  const name = `stated${count}`;
  return {
    option: { name, stage: 0, devices: count, ...typeOf(devices), bytesPerDevice: vramBytes, ramBytes },
    describe: (chosen) => {
      const each = chosen.map(({ id }) => ({ id, bytes: vramBytes }));
      return { memory: plainMemory(name, "stated", each, ramBytes), arguments: [] };
    },
  };
}

/** Devices that nothing else uses, because nobody knows what the engine takes of them. */
function wholeWay(problem: WayProblem): Way {
  const { devices, deployment } = problem;
  const { ramBytes = 0 } = deployment.resources ?? {};
  const count = countOf(problem);
  const name = `whole${count}`;
  const alone = { bytesPerDevice: 0, exclusive: true };
  return {
    option: { name, stage: 0, devices: count, ...typeOf(devices), ...alone, ramBytes },
    describe: (chosen) => {
      const each = chosen.map(({ id, totalBytes }) => ({ id, bytes: totalBytes }));
      return { memory: plainMemory(name, "whole", each, ramBytes), arguments: [] };
    },
  };
}

/** What the parameters say: all devices of the engine's world, else those that llama.cpp is to share a model out to. */
function countOf({ parameters, tensorParallelSize }: WayProblem): number {
  return (tensorParallelSize ?? splitCount(parameters) ?? 1) * groupsOf(parameters);
}

function typeOf(devices: WayProblem["devices"]): Pick<Way["option"], "acceleratorType"> {
  return devices.kind === "devices" ? { acceleratorType: devices.type } : {};
}
