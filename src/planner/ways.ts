import { readLlamaArguments } from "../model/llama-arguments.js";
import { readVllmArguments } from "../model/vllm-arguments.js";
import { hostWays } from "./host-ways.js";
import { llamaWays } from "./llama-ways.js";
import { vllmWays } from "./vllm-ways.js";
import { plainMemory, type Way, type WayProblem, type Ways } from "./way.js";

/**
 * The ways in which a replica can run, on hosts of one kind. Where the memory is stated, that counts; where it is not
 * known, devices are taken whole. Pure.
 *
 * @throws BerthError `usage` for parameters that contradict each other; `model-unavailable` for a model that cannot be
 * understood
 */
export function listWays(problem: WayProblem): Ways {
  const { deployment, engine, devices, parameters } = problem;
  if (devices.kind === "none") return { ways: [hostWays(problem)], remedies: () => [], note: undefined };
  if (deployment.resources?.vramBytes !== undefined) return only(statedWay(problem));
  if (engine.kind === "unknown") return only(wholeWay(problem), engine.reason);
  const { model } = engine;
  const read = model.engine === "vllm" ? readVllmArguments(parameters) : readLlamaArguments(parameters);
  if (read.kind === "unknown") return only(wholeWay(problem), `what ${read.flag} does to the memory is not worked out`);
  const found = model.engine === "vllm" ? vllmWays(problem, model.model) : llamaWays(problem, model.model);
  return { ...found, note: undefined };
}

function only(way: Way, note?: string): Ways {
  return { ways: [way], remedies: () => [], note };
}

/** What the stack says. */
function statedWay({ deployment: { resources = {} }, tensorParallelSize = 1, devices }: WayProblem): Way {
  const { vramBytes = 0, ramBytes = 0 } = resources;
  const name = `stated${tensorParallelSize}`;
  return {
    option: { name, stage: 0, devices: tensorParallelSize, ...typeOf(devices), bytesPerDevice: vramBytes, ramBytes },
    describe: (chosen) => {
      const each = chosen.map(({ id }) => ({ id, bytes: vramBytes }));
      return { memory: plainMemory(name, "stated", each, ramBytes), arguments: [] };
    },
  };
}

/** Devices that nothing else uses, because nobody knows what the engine takes of them. */
function wholeWay({ deployment: { resources = {} }, tensorParallelSize = 1, devices }: WayProblem): Way {
  const { ramBytes = 0 } = resources;
  const name = `whole${tensorParallelSize}`;
  const alone = { bytesPerDevice: 0, exclusive: true };
  return {
    option: { name, stage: 0, devices: tensorParallelSize, ...typeOf(devices), ...alone, ramBytes },
    describe: (chosen) => {
      const each = chosen.map(({ id, totalBytes }) => ({ id, bytes: totalBytes }));
      return { memory: plainMemory(name, "whole", each, ramBytes), arguments: [] };
    },
  };
}

function typeOf(devices: WayProblem["devices"]): Pick<Way["option"], "acceleratorType"> {
  return devices.kind === "devices" ? { acceleratorType: devices.type } : {};
}
