/** The way of a replica that has no device of its own: all of it is in the host's memory. Pure. */
import { readLlamaArguments } from "../model/llama-arguments.js";
import { estimateLlama } from "../model/llama-estimate.js";
import type { LlamaOptions } from "../model/llama-options.js";
import { sum, totalBytes } from "../model/memory.js";
import { plainMemory, type Way, type WayProblem } from "./way.js";

const name = "host";

export function hostWays(problem: WayProblem): Way {
  const { ramBytes, vramBytes } = problem.deployment.resources ?? {};
  const isStated = ramBytes !== undefined || vramBytes !== undefined;
  const stated = (ramBytes ?? 0) + (vramBytes ?? 0);
  const known = isStated ? stated : estimateHost(problem);
  // Weights that the server has laid out anew stay mapped too, and the system takes those pages back when it needs them.
  const least = isStated ? stated : estimateHost(problem, { mapped: false });
  const basis = isStated ? "stated" : "estimate";
  const memory = known === undefined ? undefined : ({ ...plainMemory(name, "stated", [], known), basis } as const);
  return {
    option: { name, stage: 0, devices: 0, bytesPerDevice: 0, ramBytes: least ?? 0 },
    describe: () => ({ memory, arguments: [] }),
  };
}

/** Undefined where it is not known. Devices that work in the host's memory take what they need from there. */
function estimateHost(
  { engine, parameters, devices }: WayProblem,
  options: Pick<LlamaOptions, "mapped"> = {},
): number | undefined {
  if (engine.kind === "unknown" || engine.model.engine !== "llama-cpp") return undefined;
  const read = readLlamaArguments(parameters);
  if (read.kind === "unknown") return undefined;
  const isUnified = devices.kind === "none" && devices.isUnified;
  const split = isUnified ? [1] : undefined;
  const { places } = estimateLlama(engine.model.model, { ...read.options, ...options, split });
  return sum(places.map(totalBytes));
}
