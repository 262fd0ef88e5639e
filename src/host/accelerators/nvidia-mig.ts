import type { Accelerator, AcceleratorProcess, AcceleratorUsage } from "../../schema/facts.js";
import { childrenOf, textAt, type Element } from "./tree.js";
import { readBytes, wholeNumber } from "./values.js";

/** Profiles and identities of MIG devices, by the identity of the GPU, a blank and the device's index. */
export type MigNames = ReadonlyMap<string, { readonly profile: string; readonly uuid: string }>;

interface Parts {
  /** Identity of the GPU. */
  readonly uuid: string;
  readonly names: MigNames;
  readonly processes: readonly Element[];
  readonly readProcesses: (processes: readonly Element[]) => AcceleratorProcess[];
}

type Mig = NonNullable<Accelerator["mig"]>;

/**
 * The MIG mode of a GPU, its MIG devices and their use; no `mig` for a GPU that has no MIG. A device whose identity is
 * not told is left out, because nothing could be placed on it, and counted as unnamed.
 */
export function readMig(gpu: Element, parts: Parts): { mig?: Mig; usage: AcceleratorUsage[]; unnamed: number } {
  const mode = { Enabled: "enabled", Disabled: "disabled" }[textAt(gpu, "mig_mode", "current_mig") ?? ""];
  if (mode !== "enabled" && mode !== "disabled") return { usage: [], unnamed: 0 };
  const elements = childrenOf(childrenOf(gpu, "mig_devices")[0], "mig_device");
  const found = elements.flatMap((device) => {
    const read = readDevice(device, parts);
    return read === undefined ? [] : [read];
  });
  return {
    mig: { mode, devices: found.map(({ device }) => device) },
    usage: found.map(({ usage }) => usage),
    unnamed: elements.length - found.length,
  };
}

function readDevice(
  element: Element,
  { uuid: gpu, names, processes, readProcesses }: Parts,
): { device: Mig["devices"][number]; usage: AcceleratorUsage } | undefined {
  const index = wholeNumber(textAt(element, "index"));
  const gpuInstance = wholeNumber(textAt(element, "gpu_instance_id"));
  const computeInstance = wholeNumber(textAt(element, "compute_instance_id"));
  const memoryBytes = readBytes(textAt(element, "fb_memory_usage", "total")) ?? 0;
  const used = readBytes(textAt(element, "fb_memory_usage", "used"));
  const named = names.get(`${gpu} ${index ?? ""}`);
  if (index === undefined || gpuInstance === undefined || computeInstance === undefined || named === undefined)
    return undefined;
  const own = processes.filter(
    (process) =>
      textAt(process, "gpu_instance_id") === String(gpuInstance) &&
      textAt(process, "compute_instance_id") === String(computeInstance),
  );
  return {
    device: { uuid: named.uuid, index, gpuInstance, computeInstance, profile: named.profile, memoryBytes },
    usage: {
      uuid: named.uuid,
      ...(used === undefined ? {} : { memoryUsedBytes: used }),
      processes: readProcesses(own),
    },
  };
}
