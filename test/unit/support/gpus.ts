import type { Accelerator, AcceleratorUsage, HostClaim } from "../../../src/schema/facts.js";
import type { KnownHost } from "../../../src/planner/host-choice.js";
import { knownHost } from "./problems.js";

const gib = 2 ** 30;

/** An accelerator of a host, `GPU-0` and so on, of 80 GiB. */
export function gpu(index: number, changes: Partial<Accelerator> = {}): Accelerator {
  const known = {
    type: "cuda",
    name: "NVIDIA H100 80GB HBM3",
    memoryBytes: 80 * gib,
    driverVersion: "580.95",
  } as const;
  return { ...known, index, uuid: `GPU-${index}`, ...changes };
}

/** A host with so many of them. */
export function gpuHost(
  count: number,
  usage: { accelerators?: AcceleratorUsage[]; claims?: HostClaim[] } = {},
  changes: Partial<Accelerator> = {},
): KnownHost {
  const accelerators = Array.from({ length: count }, (_, index) => gpu(index, changes));
  const host = knownHost("/srv/berth", { facts: { accelerators, ramBytes: 512 * gib } });
  return { ...host, usage: { ...host.usage, ...usage } };
}
