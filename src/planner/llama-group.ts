/** A replica of llama-server that has several hosts: its layers are split over them, by RPC. Pure. */
import { readLlamaArguments } from "../model/llama-arguments.js";
import type { LlamaModel } from "../model/llama-estimate.js";
import { splitLlama, type LlamaSplit } from "../model/llama-split.js";
import { totalBytes, type DeviceMemory } from "../model/memory.js";
import type { PlacedMemory } from "../schema/placement.js";
import type { GroupWay, MemberRoom } from "./group-way.js";
import { fixedArguments } from "./llama-ways.js";
import type { WayProblem } from "./way.js";

/** llama.cpp's own limit (`llama_max_devices`). */
const mostDevices = 16;
/** What a server with accelerators takes of its host: drivers and the program. */
const serverHostBytes = 192 * 2 ** 20;

/** Undefined where the parameters say themselves which device has which layers. */
export function llamaGroup(problem: WayProblem, model: LlamaModel): GroupWay | undefined {
  const read = readLlamaArguments(problem.parameters);
  if (read.kind === "unknown" || read.layers !== undefined || read.options.split !== undefined) return undefined;
  // Weights that the server has laid out anew stay mapped too, and the system takes those pages back when it needs them.
  const options = { ...read.options, mapped: false };
  const { devices } = problem;
  const acceleratorType = devices.kind === "devices" ? devices.type : undefined;
  if (devices.kind === "none" && devices.isUnified) return undefined;
  return {
    acceleratorType,
    mostDevices,
    needs: { guard: true, numericAddress: false, model: false },
    share: (primary, others) => {
      const hosts = others.length + 1;
      const remote = others.flatMap((member) => roomsOf(member, acceleratorType !== undefined));
      const own = acceleratorType === undefined ? [] : roomsOf(primary, true);
      const rooms = [...remote, ...own].map(({ bytes }) => bytes);
      const hostRoom = acceleratorType === undefined ? primary.ramBytes : undefined;
      const split = splitLlama({ model, options, rooms, hostRoom });
      if (split === undefined || (hostRoom === undefined && totalBytes(split.host) > primary.ramBytes))
        return undefined;
      return {
        primary: primaryMemory(split, hosts, own, remote.length),
        others: othersMemory(split, hosts, others, acceleratorType !== undefined),
        arguments: argumentsOf(problem, split),
      };
    },
  };
}

interface Room {
  readonly device: string | undefined;
  readonly bytes: number;
}

function roomsOf({ devices, ramBytes }: MemberRoom, hasDevices: boolean): Room[] {
  if (!hasDevices) return [{ device: undefined, bytes: ramBytes }];
  return devices.map(({ id, freeBytes }) => ({ device: id, bytes: freeBytes }));
}

function primaryMemory(split: LlamaSplit, hosts: number, own: readonly Room[], remote: number): PlacedMemory {
  const devices = own.flatMap(({ device }, index) => deviceMemory(device, split.places[remote + index]));
  return { option: optionName(hosts), basis: "estimate", devices, hostBytes: totalBytes(split.host) };
}

function othersMemory(
  { places }: LlamaSplit,
  hosts: number,
  others: readonly MemberRoom[],
  hasDevices: boolean,
): PlacedMemory[] {
  let reached = 0;
  return others.map((member): PlacedMemory => {
    const rooms = roomsOf(member, hasDevices);
    const parts = places.slice(reached, reached + rooms.length);
    reached += rooms.length;
    const devices = rooms.flatMap(({ device }, index) => deviceMemory(device, parts[index]));
    const [first] = parts;
    const hostBytes = hasDevices || first === undefined ? serverHostBytes : totalBytes(first);
    return { option: optionName(hosts), basis: "estimate", devices, hostBytes };
  });
}

function deviceMemory(device: string | undefined, part: DeviceMemory | undefined): PlacedMemory["devices"] {
  if (device === undefined || part === undefined) return [];
  const { weightsBytes, cacheBytes } = part;
  const takenBytes = totalBytes(part);
  return [{ device, weightsBytes, cacheBytes, otherBytes: takenBytes - weightsBytes - cacheBytes, takenBytes }];
}

function optionName(hosts: number): string {
  return `hosts${hosts}`;
}

/** RPC servers come first, in the order in which they are named; each layer is somewhere, so nothing is left to chance. */
function argumentsOf(problem: WayProblem, { layers }: LlamaSplit): string[] {
  const offloaded = layers.reduce((total, each) => total + each, 0);
  return [
    ...["--n-gpu-layers", String(offloaded)],
    ...["--tensor-split", layers.join(",")],
    ...fixedArguments(problem),
  ];
}
