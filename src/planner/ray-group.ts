/**
 * A replica over several hosts that Ray holds together: within a host tensors are cut, between hosts layers. Each host
 * is one stage, with as many devices as any other. Pure.
 */
import { BerthError } from "../lib/errors.js";
import { readFlags } from "../model/engine-flags.js";
import { copiesOf } from "../model/vllm-arguments.js";
import { whyNoLora } from "../model/vllm-lora.js";
import type { Distribution } from "../schema/backend.js";
import type { PlacedMemory } from "../schema/placement.js";
import type { EvenShape, GroupShare, GroupWay, MemberRoom } from "./group-way.js";
import { hostWays } from "./host-ways.js";
import { statedWay, wholeWay } from "./plain-ways.js";
import { makeWay, readSetting, sizesOf } from "./vllm-ways.js";
import type { Way, WayProblem } from "./way.js";

type RayDistribution = Extract<Distribution, { method: "ray" }>;

/** The most hosts that a stack can ask for (`maxHosts`). */
const mostHosts = 16;

/** In which shapes a replica can be, and the way of each: its option is what one host gives, of all it is described. */
interface Split {
  readonly shapes: readonly EvenShape[];
  readonly way: (shape: EvenShape) => Way;
}

/**
 * Undefined where it is not known how to cut the model: its memory is not known, and its parameters say nothing of
 * groups of layers.
 *
 * @throws BerthError `stack-inconsistent` for parameters that contradict the backend's way to have several hosts
 */
export function rayGroup(problem: WayProblem, distributed: RayDistribution): GroupWay | undefined {
  const { deployment, devices, parameters, pipelineParallelSize = 1 } = problem;
  // Copies are placed by the engine, wherever it likes.
  if (copiesOf(parameters) > 1) return undefined;
  const split = splitOf(problem);
  if (split === undefined) return undefined;
  const isDistributed = deployment.placement.distributed;
  const own = isDistributed ? ownArguments(distributed, problem) : [];
  const acceleratorType = devices.kind === "devices" ? devices.type : undefined;
  const part = (shape: EvenShape, room: MemberRoom) => partOf(split.way(shape), room);
  return {
    acceleratorType,
    mostDevices: Infinity,
    needs: { guard: false, numericAddress: true, model: true },
    // One host counts as one node, so a processor alone cannot be two stages.
    isNeeded: isDistributed && acceleratorType === undefined && pipelineParallelSize > 1,
    even: { shapes: split.shapes, part },
    share: (primary, others) => {
      const rooms = [primary, ...others];
      const shape = { hosts: rooms.length, devices: primary.devices.length };
      const isKnown = split.shapes.some(({ hosts, devices: each }) => hosts === shape.hosts && each === shape.devices);
      const fits = (room: MemberRoom) => part(shape, room)?.devices.length === room.devices.length;
      if (!isKnown || rooms.some((room) => room.devices.length !== shape.devices || !fits(room))) return undefined;
      return shareOut(split.way(shape), rooms, (words) => [...sizeWords(problem, shape), ...words, ...own]);
    },
  };
}

function splitOf(problem: WayProblem): Split | undefined {
  const { devices, deployment, pipelineParallelSize: stages, tensorParallelSize: size = 1 } = problem;
  const plain = (each: number, way: (shape: EvenShape) => Way): Split | undefined =>
    stages === undefined || stages < 2 ? undefined : { shapes: [{ hosts: stages, devices: each }], way };
  if (devices.kind === "none") return plain(0, () => hostWays(problem));
  if (deployment.resources?.vramBytes !== undefined) return plain(size, () => statedWay(problem, size));
  return knownSplit(problem) ?? plain(size, () => wholeWay(problem, size));
}

/** Sizes that divide the model, on as few hosts as have room. */
function knownSplit(problem: WayProblem): Split | undefined {
  const { engine, pipelineParallelSize: stages } = problem;
  if (engine.kind === "unknown" || engine.model.engine !== "vllm") return undefined;
  const { model } = engine.model;
  const setting = readSetting(problem, model);
  if (setting === undefined) return undefined;
  if (setting.options.lora !== undefined && whyNoLora(model.tensors) !== undefined) return undefined;
  const counts = stages === undefined ? Array.from({ length: mostHosts - 1 }, (_, index) => index + 2) : [stages];
  const possible = counts.filter((hosts) => hosts > 1 && hosts <= setting.shape.layers);
  const shapes = possible.flatMap((hosts) => sizesOf(setting).map((devices) => ({ hosts, devices })));
  const ways = new Map<string, Way>();
  const way = ({ hosts, devices }: EvenShape) => {
    const key = `${hosts} ${devices}`;
    const made = ways.get(key) ?? makeWay(setting, { size: devices, stages: hosts, hosts });
    ways.set(key, made);
    return made;
  };
  return { shapes, way };
}

/** Of the devices with room those with the most. */
function partOf({ option }: Way, { ramBytes, devices }: MemberRoom): MemberRoom | undefined {
  const { bytesPerDevice, share, exclusive = false } = option;
  const hasRoom = ({ freeBytes, totalBytes, hasOthers = false }: MemberRoom["devices"][number]) => {
    if (exclusive) return !hasOthers;
    const taken = share === undefined ? bytesPerDevice : Math.floor(totalBytes * share);
    return taken >= bytesPerDevice && freeBytes >= taken;
  };
  const chosen = devices.filter(hasRoom).slice(0, option.devices);
  return chosen.length < option.devices || ramBytes < option.ramBytes ? undefined : { ramBytes, devices: chosen };
}

function shareOut(way: Way, rooms: readonly MemberRoom[], words: (own: readonly string[]) => string[]): GroupShare {
  const { option } = way;
  const { memory, arguments: own } = way.describe(rooms.flatMap(({ devices }) => devices));
  const memories = rooms.map((_, index): PlacedMemory | undefined => {
    if (memory === undefined) return undefined;
    const first = index * option.devices;
    return { ...memory, devices: memory.devices.slice(first, first + option.devices) };
  });
  const [primary, ...others] = memories;
  return { primary, others, arguments: words(own) };
}

/** What the parameters do not say, by the flags that the backend has. */
function sizeWords(problem: WayProblem, { hosts, devices }: EvenShape): string[] {
  const { tensorParallelSize, tensorParallelFlag, pipelineParallelSize, pipelineParallelFlag } = problem;
  const say = (flag: string | undefined, given: number | undefined, value: number) =>
    flag === undefined || given !== undefined ? [] : [flag, String(value)];
  return [
    ...say(tensorParallelFlag, tensorParallelSize, Math.max(1, devices)),
    ...say(pipelineParallelFlag, pipelineParallelSize, hosts),
  ];
}

/** The backend's arguments of an engine that has several hosts, without what the parameters say already. */
function ownArguments({ arguments: words = [] }: RayDistribution, { parameters, where }: WayProblem): string[] {
  const given = readFlags(parameters);
  return wordsByFlag(words).flatMap((own) => {
    const [[flag, value] = ["", ""]] = readFlags(own);
    const told = given.get(flag);
    if (told === undefined) return own;
    if (told === value) return [];
    throw new BerthError("stack-inconsistent", {
      ...(where === undefined ? {} : { where }),
      what: "over several hosts the backend gives this flag another value",
      got: `${flag} ${told}`,
      expected: `${flag} ${value}, or none`,
      hint: "remove it from the parameters, or leave out `placement: { distributed: true }`",
    });
  });
}

/** Each flag with what follows it. */
function wordsByFlag(words: readonly string[]): string[][] {
  const parts: string[][] = [];
  for (const word of words) {
    const last = parts.at(-1);
    if (last === undefined || readFlags([word]).size > 0) parts.push([word]);
    else last.push(word);
  }
  return parts;
}
