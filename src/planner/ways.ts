import { readLlamaArguments, splitCount } from "../model/llama-arguments.js";
import { groupsOf, readVllmArguments } from "../model/vllm-arguments.js";
import { whyNoLora } from "../model/vllm-lora.js";
import { hostWays } from "./host-ways.js";
import type { GroupWay } from "./group-way.js";
import { llamaGroup } from "./llama-group.js";
import { llamaWays } from "./llama-ways.js";
import { statedWay, wholeWay } from "./plain-ways.js";
import { rayGroup } from "./ray-group.js";
import { vllmWays } from "./vllm-ways.js";
import type { Way, WayProblem, Ways } from "./way.js";

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
  if (group?.isNeeded === true) return { ways: [], remedies: () => [], note: undefined, group };
  const only = (way: Way, note?: string): Ways => ({ ways: [way], remedies: () => [], note, group });
  const whole = (note: string) => only(wholeWay(problem, countOf(problem)), note);
  if (devices.kind === "none") return only(hostWays(problem));
  if (deployment.resources?.vramBytes !== undefined) return only(statedWay(problem, countOf(problem)));
  if (engine.kind === "unknown") return whole(engine.reason);
  const { model } = engine;
  const read = model.engine === "vllm" ? readVllmArguments(parameters) : readLlamaArguments(parameters);
  const variable = model.engine === "llama-cpp" ? problem.variables.find(isLlamaVariable) : undefined;
  const odd = variable ?? (read.kind === "unknown" ? read.flag : undefined);
  if (odd !== undefined) return whole(`what ${odd} does to the memory is not worked out`);
  const adapted = model.engine === "vllm" && hasLora(read) ? whyNoLora(model.model.tensors) : undefined;
  if (adapted !== undefined) return whole(adapted);
  const found = model.engine === "vllm" ? vllmWays(problem, model.model) : llamaWays(problem, model.model);
  return { ...found, note: undefined, group };
}

/** What the stack states is of one host, and what nobody knows cannot be shared out by layers. */
function groupOf(problem: WayProblem): GroupWay | undefined {
  const { distributed, engine, deployment, variables } = problem;
  if (distributed?.method === "ray") return rayGroup(problem, distributed);
  if (distributed === undefined || deployment.resources !== undefined || variables.some(isLlamaVariable))
    return undefined;
  return engine.kind === "known" && engine.model.engine === "llama-cpp"
    ? llamaGroup(problem, engine.model.model)
    : undefined;
}

type Read = ReturnType<typeof readVllmArguments> | ReturnType<typeof readLlamaArguments>;

function hasLora(read: Read): boolean {
  return read.kind === "known" && "lora" in read.options && read.options.lora !== undefined;
}

/** llama.cpp takes its parameters by variables too. */
function isLlamaVariable(name: string): boolean {
  return name.startsWith("LLAMA_ARG_") && !harmlessVariables.test(name);
}

/** What the parameters say: all devices of the engine's world, else those that llama.cpp is to share a model out to. */
function countOf({ parameters, tensorParallelSize }: WayProblem): number {
  return (tensorParallelSize ?? splitCount(parameters) ?? 1) * groupsOf(parameters);
}
