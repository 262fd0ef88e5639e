import { nothingFound, notUnderstood, sight, type Detector } from "./detector.js";
import { itemsOf, jsonText, parseJson, valueAt } from "./json.js";
import { told } from "./values.js";

/**
 * The GPU of Apple silicon, by `system_profiler`. It works in the memory of the Mac. There is one, built in, so its
 * name is its identity. GPUs of other vendors in Macs do not run models.
 */
export const apple: Detector = {
  vendor: "apple",

  ask: () => ({ displays: { argv: ["system_profiler", "SPDisplaysDataType", "-json"] } }),

  read({ displays }, { ramBytes }) {
    if (displays === undefined) return nothingFound;
    const json = parseJson(displays);
    if (json === undefined) return notUnderstood("system_profiler SPDisplaysDataType");
    const gpu = itemsOf(valueAt(json, "SPDisplaysDataType")).find((entry) => nameOf(entry)?.startsWith("Apple "));
    const name = nameOf(gpu);
    if (name === undefined) return nothingFound;
    // `spdisplays_metal3` is Metal 3.
    const metal = /^spdisplays_metal(\d+)$/.exec(jsonText(gpu, "spdisplays_mtlgpufamilysupport") ?? "")?.[1];
    const accelerator = {
      type: "metal" as const,
      vendor: "apple" as const,
      name,
      index: 0,
      uuid: "apple-0",
      memoryBytes: ramBytes,
      unifiedMemory: true,
      driverVersion: "unknown",
      ...(metal === undefined ? {} : { runtimeVersion: metal }),
    };
    return sight([{ accelerator, usage: { uuid: accelerator.uuid } }], "system_profiler");
  },
};

function nameOf(entry: unknown): string | undefined {
  return told(jsonText(entry, "sppci_model")) ?? told(jsonText(entry, "_name"));
}
