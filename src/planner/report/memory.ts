/** What instances take of devices and hosts, as far as it is known. */
import type { PlacedMemory } from "../../schema/placement.js";

/** What a replica takes of a device; undefined when it is not known. */
export function deviceBytes(memory: PlacedMemory | undefined, device: string): number | undefined {
  return memory?.devices.find((each) => each.device === device)?.takenBytes;
}

/** `4 devices (tp4), each: weights 33.9 + cache 34.1 + other 3.7 = 71.7 GiB, by estimate` */
export function describeMemory(memory: PlacedMemory): string {
  const [first] = memory.devices;
  const basis = { estimate: "by estimate", stated: "as the stack says", whole: "taken whole: need not known" }[
    memory.basis
  ];
  if (first === undefined) {
    return memory.hostBytes === 0
      ? `${memory.option}, ${basis}`
      : `${memory.option}: ${gib(memory.hostBytes)} GiB of the host, ${basis}`;
  }
  const count = memory.devices.length;
  const head = `${count} ${count === 1 ? "device" : "devices"} (${memory.option})`;
  if (memory.basis === "whole") return `${head}, ${basis}`;
  const largest = memory.devices.reduce((most, each) => (each.takenBytes > most.takenBytes ? each : most));
  const { weightsBytes, cacheBytes, otherBytes, takenBytes } = largest;
  const parts = `weights ${gib(weightsBytes)} + cache ${gib(cacheBytes)} + other ${gib(otherBytes)}`;
  const sum = weightsBytes + cacheBytes + otherBytes;
  const taken = sum === 0 ? `${gib(takenBytes)} GiB` : `${parts}, ${gib(takenBytes)} GiB taken`;
  return `${head}${count === 1 ? "" : ", each at most"}: ${taken}, ${basis}`;
}

/** `71.7`; of less than a tenth as much as there is. */
export function gib(bytes: number): string {
  const value = bytes / 2 ** 30;
  return value > 0 && value < 0.05 ? value.toPrecision(1) : value.toFixed(1);
}
