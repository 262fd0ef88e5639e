/** What of a container's devices is not as it was when it was decided: numbers and files may change over a reboot. Pure. */
import type { ContainerDevices } from "../schema/container.js";
import type { Accelerator } from "../schema/facts.js";

/**
 * One sentence for each device that has another number or another file now. Nothing is said of a UUID that an engine
 * itself finds, of a device that is not there, and of files that facts do not tell.
 */
export function findMoved(devices: ContainerDevices | undefined, accelerators: readonly Accelerator[]): string[] {
  if (devices === undefined) return [];
  return devices.ids.flatMap((id, place) => {
    const now = accelerators.find(({ uuid }) => uuid === id);
    if (now === undefined) return [];
    if ("indexes" in devices) {
      const before = devices.indexes[place];
      return before === now.index ? [] : [`${id} has the number ${now.index}, and had ${before ?? "none"}`];
    }
    if (!("nodes" in devices)) return [];
    const files = (now.deviceFiles ?? []).map(({ path }) => path);
    const added = files.filter((path) => !devices.nodes.includes(path));
    return added.length === 0 ? [] : [`${id} has ${added.join(", ")}, and had another file`];
  });
}
