/** Ways of vLLM: as many devices of one host as divide the model. Pure. */
import { roundUp, totalBytes, type DeviceMemory } from "../model/memory.js";
import { readHubShape, type HubShape } from "../model/hub-shape.js";
import { readVllmArguments } from "../model/vllm-arguments.js";
import { estimateVllm, type VllmEstimate, type VllmModel, type VllmOptions } from "../model/vllm-estimate.js";
import type { PlacementOption } from "./fleet/problem.js";
import type { ChosenDevice, DeviceStock, Remedy, Way, WayDetail, WayProblem, Ways } from "./way.js";

/** Of a device, when nobody says another part: the reference system's, and for long vLLM's own. */
const defaultUtilization = 0.9;
/** vLLM pads a vocabulary to a multiple of this (`DEFAULT_VOCAB_PADDING_SIZE`). */
const vocabularyPadding = 64;
const leastContext = 2048;

interface Setting {
  readonly problem: WayProblem & { readonly devices: Extract<DeviceStock, { kind: "devices" }> };
  readonly model: VllmModel;
  readonly options: VllmOptions;
  readonly shape: HubShape;
}

export function vllmWays(problem: WayProblem, model: VllmModel): Pick<Ways, "ways" | "remedies"> {
  const read = readVllmArguments(problem.parameters);
  const { devices } = problem;
  if (read.kind === "unknown" || devices.kind === "none") throw new Error("ways of vLLM that cannot be known");
  const shape = readHubShape(model.config);
  const setting = { problem: { ...problem, devices }, model, options: read.options, shape };
  return { ways: sizesOf(setting).map((size) => makeWay(setting, size)), remedies: () => remediesOf(setting) };
}

/** The tensor parallel size that the parameters give, else each that divides the model and that a host has devices for. */
function sizesOf({ problem: { devices, tensorParallelSize }, options: { tensorParallel }, shape }: Setting): number[] {
  const own = tensorParallel ?? tensorParallelSize;
  if (own !== undefined) return [own];
  const sizes = Array.from({ length: devices.mostPerHost }, (_, index) => index + 1);
  return sizes.filter((size) => size === 1 || divides(shape, size));
}

/**
 * Attention heads are shared out evenly; keys and values are too, or each is on several devices; so is the padded
 * vocabulary (`ParallelConfig`, `QKVParallelLinear` and `VocabParallelEmbedding` of vLLM).
 */
function divides({ heads, kvHeads, vocabulary }: HubShape, size: number): boolean {
  const sharesKeys = kvHeads % size === 0 || size % kvHeads === 0;
  return heads % size === 0 && sharesKeys && roundUp(vocabulary, vocabularyPadding) % size === 0;
}

/** On devices of several sizes the largest counts: there vLLM's steps are longest, and take most memory. */
function makeWay(setting: Setting, size: number): Way {
  const { problem } = setting;
  const [largest = 0] = problem.devices.totals;
  const needs = needOf(estimate(setting, size, largest).places);
  const option: PlacementOption = {
    name: `tp${size}`,
    stage: 0,
    devices: size,
    acceleratorType: problem.devices.type,
    bytesPerDevice: needs,
    ...(keepsNothing(setting) ? {} : { share: setting.options.utilization ?? defaultUtilization }),
    ramBytes: problem.deployment.resources?.ramBytes ?? 0,
  };
  return { option, describe: (devices) => describe(setting, option, devices) };
}

function estimate({ model, options }: Setting, size: number, deviceBytes: number): VllmEstimate {
  const utilization = options.utilization ?? defaultUtilization;
  return estimateVllm(model, { ...options, tensorParallel: size, deviceBytes, utilization });
}

/** With room for one text as long as the context. */
function needOf(places: readonly DeviceMemory[]): number {
  return Math.max(...places.map(totalBytes));
}

/** Models that read all of a text at once have no cache, so vLLM takes no more than they need. */
function keepsNothing({ shape }: Setting): boolean {
  return shape.windows.length === 0;
}

function describe(setting: Setting, option: PlacementOption, devices: readonly ChosenDevice[]): WayDetail {
  const smallest = Math.min(...devices.map(({ totalBytes: bytes }) => bytes));
  const made = estimate(setting, devices.length, smallest);
  const each = devices.map(({ id, totalBytes: total }, index) => {
    const place = made.places[index];
    const { weightsBytes = 0, computeBytes = 0, outputBytes = 0, runtimeBytes = 0 } = place ?? {};
    const otherBytes = computeBytes + outputBytes + runtimeBytes;
    const takenBytes = option.share === undefined ? option.bytesPerDevice : Math.floor(total * option.share);
    const cacheBytes = option.share === undefined ? 0 : (made.kvCacheMemoryBytes ?? 0);
    return { device: id, weightsBytes, cacheBytes, otherBytes, takenBytes };
  });
  return {
    memory: { option: option.name, basis: "estimate", devices: each, hostBytes: option.ramBytes },
    arguments: argumentsOf(setting, option, made, devices),
  };
}

/** What vLLM would otherwise decide by what is free when it starts. A part of the device that the stack gives stays. */
function argumentsOf(
  { problem, options }: Setting,
  { share, bytesPerDevice }: PlacementOption,
  { kvCacheMemoryBytes }: VllmEstimate,
  devices: readonly ChosenDevice[],
): string[] {
  const { engine, tensorParallelSize, tensorParallelFlag = "--tensor-parallel-size" } = problem;
  const hasSize = (options.tensorParallel ?? tensorParallelSize) !== undefined;
  const size = hasSize || devices.length === 1 ? [] : [tensorParallelFlag, String(devices.length)];
  if (options.utilization !== undefined) return size;
  const smallest = Math.min(...devices.map(({ totalBytes: bytes }) => bytes));
  // Rounded up in the fourth place: no more than a ten-thousandth of the device.
  const part = share ?? Math.ceil((bytesPerDevice / smallest) * 10_000) / 10_000;
  const isExact = engine.kind === "known" && engine.isExact && share !== undefined && kvCacheMemoryBytes !== undefined;
  const cache = isExact ? ["--kv-cache-memory-bytes", String(kvCacheMemoryBytes)] : [];
  return [...size, "--gpu-memory-utilization", String(part), ...cache];
}

/** A shorter context, or keys and values of eight bits. */
function remediesOf(setting: Setting): readonly Remedy[] {
  const { options } = setting;
  const { contextLength = 8192 } = options;
  const withOptions = (changed: VllmOptions) =>
    sizesOf(setting).map((size) => makeWay({ ...setting, options: { ...options, ...changed } }, size));
  const shorter = [contextLength / 2, contextLength / 4].filter((tokens) => tokens >= leastContext);
  const changes = [
    ...shorter.map((tokens) => {
      return { change: `\`contextLength: ${tokens}\``, ways: withOptions({ contextLength: tokens }) };
    }),
    { change: "`extraParameters: [--kv-cache-dtype, fp8]`", ways: withOptions({ eightBitCache: true }) },
  ];
  return changes.flatMap(({ change, ways }) => ways.map(({ option }) => ({ change, option })));
}
