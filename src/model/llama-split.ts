/** How the layers of a model are shared out among places with so much room each, as llama.cpp takes them. Pure. */
import { readGgufShape } from "./gguf-shape.js";
import { estimateLlama, type LlamaModel } from "./llama-estimate.js";
import type { LlamaOptions } from "./llama-options.js";
import { sum, totalBytes, type DeviceMemory } from "./memory.js";

export interface SplitProblem {
  readonly model: LlamaModel;
  /** Without `split` and `layers`, which are found. */
  readonly options: LlamaOptions;
  /**
   * The room of each place, bytes, in the order in which llama.cpp gives them layers: the devices of RPC servers in the
   * order in which they are named, then the primary's own.
   */
  readonly rooms: readonly number[];
  /** What the host's memory has room for, where its processor computes the first layers; else it has none of them. */
  readonly hostRoom: number | undefined;
}

export interface LlamaSplit {
  /** Layers of the host, none where only devices have some. */
  readonly hostLayers: number;
  /** Layers of each place, at least one; the output counts as one. */
  readonly layers: readonly number[];
  readonly host: DeviceMemory;
  /** In the order of the rooms. */
  readonly places: readonly DeviceMemory[];
}

/** Shares of the rooms that are tried. */
const steps = 128;
/** What an RPC server itself takes that computes on its host's processor: 15 MiB, measured. */
const serverBytes = 32 * 2 ** 20;

/**
 * Each place has layers that follow each other, as many as its part of the room has, so that all are filled alike.
 * Undefined where they do not fit. A place's bytes are never above its room.
 *
 * @throws BerthError `model-unavailable`; `usage`
 */
export function splitLlama(problem: SplitProblem): LlamaSplit | undefined {
  const { rooms, hostRoom } = problem;
  const count = readGgufShape(problem.model.header, problem.model.where).layers.length + 1;
  if (rooms.length === 0 || rooms.length + (hostRoom === undefined ? 0 : 1) > count) return undefined;
  const costs = costsOf(problem, count);
  let [low, high] = [1, steps];
  if (shareOut(problem, costs, 1) === undefined) return undefined;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (shareOut(problem, costs, middle / steps) === undefined) low = middle + 1;
    else high = middle;
  }
  // What layers cost together is an upper bound but for rounding, so a wider share is the second try.
  for (const part of [low / steps, 1]) {
    const shares = shareOut(problem, costs, part);
    const split = shares === undefined ? undefined : measure(problem, shares);
    if (split !== undefined && fits(split, problem)) return split;
  }
  return undefined;
}

interface Costs {
  /** Of each layer by itself on a device, the output last. */
  readonly layers: readonly DeviceMemory[];
  /** What the host takes when it has so many of the first layers. */
  readonly host: (layers: number) => number;
}

function costsOf(problem: SplitProblem, count: number): Costs {
  const { model, options } = problem;
  const alone = estimateLlama(model, { ...options, split: Array.from({ length: count }, () => 1), layers: count });
  const known = new Map<number, number>();
  const host = (layers: number): number => {
    const found = known.get(layers) ?? hostBytes(problem, count, layers);
    known.set(layers, found);
    return found;
  };
  return { layers: alone.places.slice(1).map((place) => ownPart(problem, place)), host };
}

function hostBytes({ model, options, rooms }: SplitProblem, count: number, layers: number): number {
  const shares = Math.max(1, Math.floor((count - layers) / rooms.length));
  const split = rooms.map(() => shares);
  const [host] = estimateLlama(model, { ...options, remote: true, split, layers: count - layers }).places;
  return host === undefined ? 0 : totalBytes(host);
}

/** Layers of the host and of each place; undefined when some are left over, or a place would have none. */
function shareOut({ rooms, hostRoom }: SplitProblem, { layers, host }: Costs, part: number): number[] | undefined {
  const shares: number[] = [];
  let reached = 0;
  if (hostRoom !== undefined) {
    while (reached < layers.length - rooms.length && host(reached + 1) <= hostRoom * part) reached += 1;
    if (reached === 0) return undefined;
  }
  shares.push(reached);
  for (const [index, room] of rooms.entries()) {
    const most = layers.length - reached - (rooms.length - index - 1);
    let taken = 0;
    while (taken < most && costOf(layers.slice(reached, reached + taken + 1)) <= room * part) taken += 1;
    if (taken === 0) return undefined;
    shares.push(taken);
    reached += taken;
  }
  return reached === layers.length ? shares : undefined;
}

/** Layers on one device share what computes them, and what runs it. */
function costOf(layers: readonly DeviceMemory[]): number {
  const most = (part: "computeBytes" | "runtimeBytes") => Math.max(...layers.map((layer) => layer[part]));
  const own = sum(layers.map(({ weightsBytes, cacheBytes }) => weightsBytes + cacheBytes));
  return own + most("computeBytes") + most("runtimeBytes");
}

function measure(problem: SplitProblem, [hostLayers = 0, ...layers]: readonly number[]): LlamaSplit | undefined {
  const { model, options, hostRoom } = problem;
  const remote = hostRoom !== undefined;
  const [host, ...places] = estimateLlama(model, { ...options, remote, split: layers, layers: sum(layers) }).places;
  if (host === undefined) return undefined;
  return { hostLayers, layers, host, places: places.map((place) => ownPart(problem, place)) };
}

/** Without accelerators there are no drivers. */
function ownPart({ hostRoom }: SplitProblem, place: DeviceMemory): DeviceMemory {
  return hostRoom === undefined ? place : { ...place, runtimeBytes: serverBytes };
}

function fits({ host, places }: LlamaSplit, { rooms, hostRoom }: SplitProblem): boolean {
  if (hostRoom !== undefined && totalBytes(host) > hostRoom) return false;
  return places.every((place, index) => totalBytes(place) <= (rooms[index] ?? 0));
}
