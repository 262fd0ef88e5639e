/** Ways of vLLM: as many devices of one host as divide the model. Pure. */
import { roundUp, totalBytes } from "../model/memory.js";
import { readHubShape, type HubShape } from "../model/hub-shape.js";
import { readVllmArguments } from "../model/vllm-arguments.js";
import { estimateVllm, type VllmModel, type VllmOptions } from "../model/vllm-estimate.js";
import type { PlacementOption } from "./fleet/problem.js";
import type { ChosenDevice, DeviceStock, Remedy, Way, WayDetail, WayProblem, Ways } from "./way.js";

/** Of a device, when nobody says another part: the reference system's, and for long vLLM's own. */
const defaultUtilization = 0.9;
/** vLLM pads a vocabulary to a multiple of this (`DEFAULT_VOCAB_PADDING_SIZE`). */
const vocabularyPadding = 64;
const leastContext = 2048;

/** How a model is cut: each group of layers is on as many devices as its tensors are cut into. */
export interface Cut {
  readonly size: number;
  readonly stages: number;
  /** So many hosts share the stages: the option is what one of them gives, and is described with the devices of all. */
  readonly hosts: number;
}

/** A model of vLLM, with what the parameters say of it. */
export interface VllmSetting {
  readonly problem: WayProblem & { readonly devices: Extract<DeviceStock, { kind: "devices" }> };
  readonly model: VllmModel;
  readonly options: VllmOptions;
  readonly shape: HubShape;
}

export function vllmWays(problem: WayProblem, model: VllmModel): Pick<Ways, "ways" | "remedies"> {
  const setting = readSetting(problem, model);
  if (setting === undefined) throw new Error("ways of vLLM that cannot be known");
  return { ways: waysOf(setting), remedies: () => remediesOf(setting) };
}

/** On one host. */
function waysOf(setting: VllmSetting): Way[] {
  const { pipelineParallel: stages = 1 } = setting.options;
  return sizesOf(setting).map((size) => makeWay(setting, { size, stages, hosts: 1 }));
}

/** Undefined where there are no devices, or an argument is not foreseen. */
export function readSetting(problem: WayProblem, model: VllmModel): VllmSetting | undefined {
  const read = readVllmArguments(problem.parameters);
  const { devices } = problem;
  if (read.kind === "unknown" || devices.kind === "none") return undefined;
  return { problem: { ...problem, devices }, model, options: read.options, shape: readHubShape(model.config) };
}

/** The tensor parallel size that the parameters give, else each that divides the model and that a host has devices for. */
export function sizesOf({
  problem: { devices, tensorParallelSize },
  options: { tensorParallel },
  shape,
}: VllmSetting): number[] {
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

/**
 * On devices of several sizes the largest counts: there vLLM's steps are longest, and take most memory. Of several
 * stages the fullest counts: which host has which is not known before.
 *
 */
export function makeWay(setting: VllmSetting, cut: Cut): Way {
  const { problem } = setting;
  const { size, stages, hosts } = cut;
  const [largest = 0] = problem.devices.totals;
  const needs = totalBytes(estimate(setting, cut, largest).fullest);
  const option: PlacementOption = {
    name: stages === 1 ? `tp${size}` : `tp${size}pp${stages}`,
    stage: 0,
    devices: (size * stages) / hosts,
    acceleratorType: problem.devices.type,
    bytesPerDevice: needs,
    ...(keepsNothing(setting) ? {} : { share: setting.options.utilization ?? defaultUtilization }),
    ramBytes: problem.deployment.resources?.ramBytes ?? 0,
  };
  return { option, describe: (devices) => describe(setting, option, cut, devices) };
}

/** With room for one text as long as the context. */
function estimate({ model, options }: VllmSetting, { size, stages }: Cut, deviceBytes: number) {
  const utilization = options.utilization ?? defaultUtilization;
  const cut = { tensorParallel: size, pipelineParallel: stages };
  const { places, kvCacheMemoryBytes } = estimateVllm(model, { ...options, ...cut, deviceBytes, utilization });
  const [fullest] = places.toSorted((a, b) => totalBytes(b) - totalBytes(a));
  if (fullest === undefined) throw new Error("an estimate without a device");
  return { fullest, kvCacheMemoryBytes };
}

/** Models that read all of a text at once have no cache, so vLLM takes no more than they need. */
function keepsNothing({ shape }: VllmSetting): boolean {
  return shape.windows.length === 0;
}

function describe(
  setting: VllmSetting,
  option: PlacementOption,
  cut: Cut,
  devices: readonly ChosenDevice[],
): WayDetail {
  const smallest = Math.min(...devices.map(({ totalBytes: bytes }) => bytes));
  const { fullest, kvCacheMemoryBytes } = estimate(setting, cut, smallest);
  const { weightsBytes, computeBytes, outputBytes, runtimeBytes } = fullest;
  const otherBytes = computeBytes + outputBytes + runtimeBytes;
  const each = devices.map(({ id, totalBytes: total }) => {
    const takenBytes = option.share === undefined ? option.bytesPerDevice : Math.floor(total * option.share);
    const cacheBytes = option.share === undefined ? 0 : (kvCacheMemoryBytes ?? 0);
    return { device: id, weightsBytes, cacheBytes, otherBytes, takenBytes };
  });
  return {
    memory: { option: option.name, basis: "estimate", devices: each, hostBytes: option.ramBytes },
    arguments: [...sizeWords(setting, cut), ...memoryWords(setting, option, kvCacheMemoryBytes, smallest)],
  };
}

/** The size, unless the parameters say it. */
function sizeWords({ problem, options }: VllmSetting, { size, hosts }: Cut): string[] {
  const { tensorParallelSize, tensorParallelFlag = "--tensor-parallel-size" } = problem;
  // Of a group all sizes are told where it is formed.
  if (hosts > 1 || size === 1 || (options.tensorParallel ?? tensorParallelSize) !== undefined) return [];
  return [tensorParallelFlag, String(size)];
}

/** What vLLM would otherwise decide by what is free when it starts. A part of the device that the stack gives stays. */
function memoryWords(
  { problem: { engine }, options }: VllmSetting,
  { share, bytesPerDevice }: PlacementOption,
  kvCacheMemoryBytes: number | undefined,
  smallest: number,
): string[] {
  if (options.utilization !== undefined) return [];
  // Rounded up in the fourth place: no more than a ten-thousandth of the device.
  const part = share ?? Math.ceil((bytesPerDevice / smallest) * 10_000) / 10_000;
  const isExact = engine.kind === "known" && engine.isExact && share !== undefined && kvCacheMemoryBytes !== undefined;
  const cache = isExact ? ["--kv-cache-memory-bytes", String(kvCacheMemoryBytes)] : [];
  return ["--gpu-memory-utilization", String(part), ...cache];
}

/** A shorter context, or keys and values of eight bits. */
function remediesOf(setting: VllmSetting): readonly Remedy[] {
  const { options } = setting;
  const { contextLength = 8192 } = options;
  const withOptions = (changed: VllmOptions) => waysOf({ ...setting, options: { ...options, ...changed } });
  const shorter = [contextLength / 2, contextLength / 4].filter((tokens) => tokens >= leastContext);
  const changes = [
    ...shorter.map((tokens) => {
      return { change: `\`contextLength: ${tokens}\``, ways: withOptions({ contextLength: tokens }) };
    }),
    { change: "`extraParameters: [--kv-cache-dtype, fp8]`", ways: withOptions({ eightBitCache: true }) },
  ];
  return changes.flatMap(({ change, ways }) => ways.map(({ option }) => ({ change, option })));
}
