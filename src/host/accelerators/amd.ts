import type { Accelerator, AcceleratorProcess, AcceleratorUsage } from "../../schema/facts.js";
import { nothingFound, notUnderstood, sight, type Answers, type Detector, type Sighting } from "./detector.js";
import { itemsOf, jsonBytes, jsonText, parseJson, valueAt } from "./json.js";
import { identify } from "./identity.js";
import { readRocmSmi, rocmSmiOptions } from "./rocm-smi.js";
import { placesOf, type Pair, type Place } from "./topology.js";
import { programName, readBusId, readPid, told, wholeNumber } from "./values.js";

/** AMD's GPUs, by `amd-smi` (ROCm 6 and later), else by `rocm-smi`. */
export const amd: Detector = {
  vendor: "amd",

  ask(answers) {
    const first = {
      static: { argv: ["amd-smi", "static", "--json"] as const },
      rocmSmi: { argv: ["rocm-smi", ...rocmSmiOptions, "--showbus", "--json"] as const },
    };
    if (gpusOf(answers.static).length === 0 && answers.rocmSmi === undefined) return first;
    return {
      ...first,
      rocm: { argv: ["cat", "/opt/rocm/.info/version"], optional: true },
      ...(answers.static === undefined
        ? {}
        : {
            list: { argv: ["amd-smi", "list", "--json"] },
            memory: { argv: ["amd-smi", "metric", "--mem-usage", "--json"] },
            processes: { argv: ["amd-smi", "process", "--json"] },
            topology: { argv: ["amd-smi", "topology", "--json"], optional: true },
          }),
    };
  },

  read(answers) {
    const runtimeVersion = /^(\d+\.\d+(?:\.\d+)?)/.exec(answers.rocm?.trim() ?? "")?.[1];
    const gpus = gpusOf(answers.static);
    if (gpus.length > 0) return readAmdSmi(gpus, answers, runtimeVersion);
    if (answers.rocmSmi !== undefined) return readRocmSmi(answers.rocmSmi, "amd", { runtimeVersion });
    if (answers.static === undefined || parseJson(answers.static) !== undefined) return nothingFound;
    return notUnderstood("amd-smi static --json");
  },
};

/** A list of GPUs; from ROCm 7 on it is below `gpu_data`. */
function gpusOf(text: string | undefined): readonly unknown[] {
  const json = text === undefined ? undefined : parseJson(text);
  return [...itemsOf(json), ...itemsOf(valueAt(json, "gpu_data"))].filter((gpu) => indexOf(gpu) !== undefined);
}

function indexOf(gpu: unknown): number | undefined {
  return wholeNumber(jsonText(gpu, "gpu"));
}

/** The entry of a GPU in another answer. */
function entryOf(entries: readonly unknown[], index: number): unknown {
  return entries.find((entry) => indexOf(entry) === index);
}

function readAmdSmi(gpus: readonly unknown[], answers: Answers, runtimeVersion: string | undefined): Sighting {
  const list = gpusOf(answers.list);
  const memory = gpusOf(answers.memory);
  const processes = gpusOf(answers.processes);
  const places = readPlaces(gpus, gpusOf(answers.topology));
  const found = gpus.map((gpu) => {
    const index = indexOf(gpu) ?? 0;
    const accelerator = readGpu(gpu, index, entryOf(list, index), { runtimeVersion, place: places.get(index) });
    const listed = entryOf(processes, index);
    const used = jsonBytes(valueAt(entryOf(memory, index), "mem_usage", "used_vram"), "MiB");
    const usage: AcceleratorUsage = {
      uuid: accelerator.uuid,
      ...(used === undefined ? {} : { memoryUsedBytes: used }),
      ...(listed === undefined ? {} : { processes: readProcesses(listed) }),
    };
    return { accelerator, usage };
  });
  return sight(found, "amd-smi static");
}

function readGpu(
  gpu: unknown,
  index: number,
  listed: unknown,
  { runtimeVersion, place }: { runtimeVersion: string | undefined; place: Place | undefined },
): Accelerator {
  const pciBusId = readBusId(jsonText(gpu, "bus", "bdf")) ?? readBusId(jsonText(listed, "bdf"));
  const llvmTarget = told(jsonText(gpu, "asic", "target_graphics_version"));
  return {
    type: "rocm",
    vendor: "amd",
    name: told(jsonText(gpu, "asic", "market_name")) ?? "AMD GPU",
    index,
    ...identify({ uuid: told(jsonText(listed, "uuid")), pciBusId, fallback: `amd-${index}` }),
    memoryBytes: jsonBytes(valueAt(gpu, "vram", "size"), "MiB") ?? 0,
    driverVersion: told(jsonText(gpu, "driver", "version")) ?? "unknown",
    ...(runtimeVersion === undefined ? {} : { runtimeVersion }),
    ...(llvmTarget === undefined ? {} : { llvmTarget }),
    ...place,
  };
}

function readPlaces(gpus: readonly unknown[], topology: readonly unknown[]): Map<number, Place> {
  const numaNodes = new Map(
    gpus.map((gpu) => [indexOf(gpu) ?? 0, wholeNumber(jsonText(gpu, "numa", "node"))] as const),
  );
  const links = topology.flatMap((entry) =>
    itemsOf(valueAt(entry, "links")).flatMap((link): Pair[] => {
      const pair: Pair = [indexOf(entry) ?? 0, indexOf(link) ?? 0];
      return jsonText(link, "link_type") === "XGMI" ? [pair] : [];
    }),
  );
  return placesOf(numaNodes, links, []);
}

/** Names and places of the memory differ between ROCm 6 and 7; one that nothing runs on has a sentence instead. */
function readProcesses(entry: unknown): AcceleratorProcess[] {
  return itemsOf(valueAt(entry, "process_list")).flatMap((item) => {
    const info = valueAt(item, "process_info");
    const pid = readPid(jsonText(info, "pid"));
    if (pid === undefined) return [];
    const memory = valueAt(info, "memory_usage", "vram_mem") ?? valueAt(info, "mem_usage");
    const memoryBytes = jsonBytes(memory, "B");
    return [{ pid, name: programName(jsonText(info, "name")), ...(memoryBytes === undefined ? {} : { memoryBytes }) }];
  });
}
