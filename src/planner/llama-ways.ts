/** Ways of llama-server: all layers on one or several devices, or as many as fit where that is allowed. Pure. */
import { BerthError } from "../lib/errors.js";
import { readGgufShape } from "../model/gguf-shape.js";
import { readLlamaArguments } from "../model/llama-arguments.js";
import { estimateLlama, type LlamaModel } from "../model/llama-estimate.js";
import type { LlamaOptions } from "../model/llama-options.js";
import { totalBytes, type DeviceMemory } from "../model/memory.js";
import type { PlacementOption } from "./fleet/problem.js";
import type { ChosenDevice, DeviceStock, Remedy, Way, WayDetail, WayProblem, Ways } from "./way.js";

/** llama.cpp's own limit, `GGML_CUDA_MAX_DEVICES`. */
const mostDevices = 16;
/** Sizes of devices for which layers are fitted; each is another way. */
const mostSizes = 4;
/** More layers than any model has: all. */
const allLayers = 999;
/** Of llama-server when nobody says how many texts there are at once. */
const automaticParallel = 4;
const leastContext = 2048;

interface Setting {
  readonly problem: WayProblem & { readonly devices: Extract<DeviceStock, { kind: "devices" }> };
  readonly model: LlamaModel;
  readonly options: LlamaOptions;
  /** Layers and output. */
  readonly layers: number;
  /** What the parameters say of the layers on devices. */
  readonly asked: number | "all" | undefined;
}

export function llamaWays(problem: WayProblem, model: LlamaModel): Pick<Ways, "ways" | "remedies"> {
  const read = readLlamaArguments(problem.parameters);
  const { devices } = problem;
  if (read.kind === "unknown" || devices.kind === "none") throw new Error("ways of llama-server that cannot be known");
  const layers = readGgufShape(model.header, model.where).layers.length + 1;
  const asked = read.layers === "all" ? undefined : read.layers;
  const setting = { problem: { ...problem, devices }, model, options: read.options, layers, asked };
  const full = countsOf(setting).map((count) => makeWay(setting, count, asked ?? layers));
  const parts = problem.deployment.placement.cpuOffload && asked === undefined ? partialWays(setting) : [];
  return { ways: [...full, ...parts], remedies: () => remediesOf(setting) };
}

/** Numbers of devices: the stack's own, else all that a host has. */
function countsOf({ problem: { devices, tensorParallelSize }, options: { split }, layers }: Setting): number[] {
  const own = split?.length ?? tensorParallelSize;
  if (own !== undefined) return [own];
  const most = Math.min(devices.mostPerHost, mostDevices, layers);
  return Array.from({ length: most }, (_, index) => index + 1);
}

function estimate(
  { model, options }: Setting,
  count: number,
  layers: number,
  changed: Pick<LlamaOptions, "mapped"> = {},
): readonly DeviceMemory[] {
  const split = options.split ?? Array.from({ length: count }, () => 1);
  return estimateLlama(model, { ...options, ...changed, split, layers }).places;
}

function makeWay(setting: Setting, count: number, layers: number): Way {
  const { problem } = setting;
  const places = estimate(setting, count, layers);
  // Weights that the server has laid out anew stay mapped too, and the system takes those pages back when it needs them.
  const least = estimate(setting, count, layers, { mapped: false });
  const isFull = layers >= setting.layers;
  const name = isFull ? `gpu${count}` : `layers${layers}on${count}`;
  const option: PlacementOption = {
    name,
    stage: setting.asked !== undefined || isFull ? 0 : setting.layers - layers,
    devices: count,
    acceleratorType: problem.devices.type,
    bytesPerDevice: Math.max(...onDevices(places).map(totalBytes)),
    ramBytes: problem.deployment.resources?.ramBytes ?? hostBytes(least),
  };
  return { option, describe: (devices) => describe(setting, option, { layers, places }, devices) };
}

function onDevices(places: readonly DeviceMemory[]): readonly DeviceMemory[] {
  return places.filter(({ device }) => device !== "host");
}

function hostBytes(places: readonly DeviceMemory[]): number {
  const host = places.find(({ device }) => device === "host");
  return host === undefined ? 0 : totalBytes(host);
}

function describe(
  setting: Setting,
  { name, bytesPerDevice }: PlacementOption,
  { layers, places }: { readonly layers: number; readonly places: readonly DeviceMemory[] },
  devices: readonly ChosenDevice[],
): WayDetail {
  const parts = onDevices(places);
  const each = devices.map(({ id }, index) => {
    const { weightsBytes = 0, cacheBytes = 0 } = parts[index] ?? {};
    const part = parts[index];
    const otherBytes = part === undefined ? 0 : totalBytes(part) - weightsBytes - cacheBytes;
    return { device: id, weightsBytes, cacheBytes, otherBytes, takenBytes: bytesPerDevice };
  });
  return {
    memory: { option: name, basis: "estimate", devices: each, hostBytes: hostBytes(places) },
    arguments: argumentsOf(setting, devices.length, layers),
  };
}

/** What the server would otherwise decide by what is free when it starts. */
function argumentsOf({ problem, options, layers: all, asked }: Setting, count: number, layers: number): string[] {
  return [
    ...(asked === undefined ? ["--n-gpu-layers", String(layers >= all ? allLayers : layers)] : []),
    ...(count > 1 && options.split === undefined ? ["--tensor-split", Array(count).fill("1").join(",")] : []),
    ...fixedArguments(problem),
  ];
}

/** What else the server would decide by what is free when it starts, on whichever devices. */
export function fixedArguments({ engine, parameters }: Pick<WayProblem, "engine" | "parameters">): string[] {
  const isExact = engine.kind === "known" && engine.isExact;
  const read = readLlamaArguments(parameters);
  const { parallel, sharedCache } = read.kind === "known" ? read.options : {};
  return [
    ...(isExact ? ["--fit", "off"] : []),
    ...(isExact && parallel === undefined ? ["--parallel", String(automaticParallel)] : []),
    ...(isExact && parallel === undefined && sharedCache === undefined ? ["--kv-unified"] : []),
  ];
}

/** As many layers as fit on devices of each size, on one of them and on all that a host has. */
function partialWays(setting: Setting): Way[] {
  const { devices } = setting.problem;
  const counts = [...new Set([1, Math.min(devices.mostPerHost, mostDevices)])];
  const found = counts.flatMap((count) =>
    devices.totals.slice(0, mostSizes).map((bytes) => ({ count, layers: mostLayers(setting, count, bytes) })),
  );
  const distinct = new Map(found.map((each) => [`${each.count} ${each.layers}`, each]));
  return [...distinct.values()]
    .filter(({ layers }) => layers > 0 && layers < setting.layers)
    .map(({ count, layers }) => makeWay(setting, count, layers));
}

function mostLayers(setting: Setting, count: number, bytes: number): number {
  const fits = (layers: number) => Math.max(...onDevices(estimate(setting, count, layers)).map(totalBytes)) <= bytes;
  let [low, high] = [0, setting.layers];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** A shorter context, a quantised cache, layers in the host's memory. */
function remediesOf(setting: Setting): readonly Remedy[] {
  const { options, layers, problem } = setting;
  const { contextLength = 8192 } = options;
  const withOptions = (changed: LlamaOptions) =>
    countsOf(setting).map((count) => makeWay({ ...setting, options: { ...options, ...changed } }, count, layers));
  const shorter = [contextLength / 2, contextLength / 4].filter((tokens) => tokens >= leastContext);
  const changes = [
    ...shorter.map((tokens) => ({
      change: `\`contextLength: ${tokens}\``,
      ways: () => withOptions({ contextLength: tokens }),
    })),
    {
      change: "`extraParameters: [--cache-type-k, q8_0, --cache-type-v, q8_0]`",
      ways: () => withOptions({ keyType: "q8_0", valueType: "q8_0" }),
    },
    {
      change: "`placement: { cpuOffload: true }`",
      ways: () => (problem.deployment.placement.cpuOffload ? [] : partialWays(setting)),
    },
  ];
  return changes.flatMap(({ change, ways }) => attempt(ways).map(({ option }) => ({ change, option })));
}

/** A change that contradicts the parameters is none to propose. */
function attempt(ways: () => readonly Way[]): readonly Way[] {
  try {
    return ways();
  } catch (error) {
    if (error instanceof BerthError) return [];
    throw error;
  }
}
