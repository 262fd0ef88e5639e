import type { Accelerator, AcceleratorProcess, AcceleratorUsage } from "../../schema/facts.js";
import { computeCapabilityOf } from "./compute-capability.js";
import { gapsOf, nothingFound, notUnderstood, type Answers, type Detector, type Sighting } from "./detector.js";
import { identify } from "./identity.js";
import { readMig, type MigNames } from "./nvidia-mig.js";
import { readTopology, type Place } from "./topology.js";
import { childrenOf, parseXml, textAt, type Element } from "./tree.js";
import { programName, readBusId, readBytes, readPid, told } from "./values.js";

/** Chips whose GPU works in the memory of the host: nvidia-smi tells no memory of theirs. */
const unifiedProducts = /\b(?:GB10|Orin|Thor|Xavier)\b/i;

/**
 * NVIDIA's GPUs, by `nvidia-smi -q -x`. Read against outputs of drivers 410 to 595: elements that older ones lack are
 * left out, and so are values such as `N/A` and `[Not Supported]`.
 */
export const nvidia: Detector = {
  vendor: "nvidia",

  ask(answers) {
    const all = { all: { argv: ["nvidia-smi", "-q", "-x"] as const } };
    const gpus = gpusOf(answers);
    if (gpus.length === 0) return all;
    return {
      ...all,
      topology: { argv: ["nvidia-smi", "topo", "-m"] },
      // Drivers before 510 do not know this field.
      capabilities: { argv: ["nvidia-smi", "--query-gpu=uuid,compute_cap", "--format=csv,noheader"], optional: true },
      // The XML does not tell the identities of MIG devices.
      ...(gpus.some((gpu) => textAt(gpu, "mig_mode", "current_mig") === "Enabled")
        ? { names: { argv: ["nvidia-smi", "-L"] } }
        : {}),
    };
  },

  read(answers, { ramBytes }) {
    if (answers.all === undefined) return nothingFound;
    const root = parseXml(answers.all);
    if (root?.name !== "nvidia_smi_log") return notUnderstood("nvidia-smi -q -x");
    const context: Context = {
      ramBytes,
      driverVersion: told(textAt(root, "driver_version")) ?? "unknown",
      runtimeVersion: told(textAt(root, "cuda_version")),
      capabilities: readCapabilities(answers.capabilities ?? ""),
      places: readTopology(answers.topology ?? ""),
      migNames: readMigNames(answers.names ?? ""),
    };
    return join(childrenOf(root, "gpu").map((gpu, index) => readGpu(gpu, index, context)));
  },
};

interface Context {
  readonly ramBytes: number;
  readonly driverVersion: string;
  readonly runtimeVersion: string | undefined;
  readonly capabilities: ReadonlyMap<string, string>;
  readonly places: ReadonlyMap<number, Place>;
  readonly migNames: MigNames;
}

function gpusOf(answers: Answers): readonly Element[] {
  const root = answers.all === undefined ? undefined : parseXml(answers.all);
  return childrenOf(root, "gpu");
}

function readGpu(gpu: Element, index: number, context: Context): Sighting {
  const name = told(textAt(gpu, "product_name")) ?? "NVIDIA GPU";
  const pciBusId = readBusId(gpu.attributes.id) ?? readBusId(textAt(gpu, "pci", "pci_bus_id"));
  const identity = identify({ uuid: told(textAt(gpu, "uuid")), pciBusId, fallback: `nvidia-${index}` });
  const { uuid } = identity;
  const memory = readBytes(textAt(gpu, "fb_memory_usage", "total"));
  const unifiedMemory = memory === undefined && unifiedProducts.test(name);
  const memoryBytes = memory ?? (unifiedMemory ? context.ramBytes : 0);
  const computeCapability =
    context.capabilities.get(uuid) ?? computeCapabilityOf(name, told(textAt(gpu, "product_architecture")));
  const processes = childrenOf(childrenOf(gpu, "processes")[0], "process_info");
  const { mig, usage: migUsage, unnamed } = readMig(gpu, { uuid, names: context.migNames, processes, readProcesses });
  const { driverVersion, runtimeVersion } = context;
  const accelerator: Accelerator = {
    type: "cuda",
    vendor: "nvidia",
    name,
    index,
    ...identity,
    memoryBytes,
    ...(unifiedMemory ? { unifiedMemory } : {}),
    driverVersion,
    ...(runtimeVersion === undefined ? {} : { runtimeVersion }),
    ...(computeCapability === undefined ? {} : { computeCapability }),
    ...context.places.get(index),
    ...(mig === undefined ? {} : { mig }),
  };
  const used = readBytes(textAt(gpu, "fb_memory_usage", "used"));
  const ownUsage: AcceleratorUsage = {
    uuid,
    ...(used === undefined ? {} : { memoryUsedBytes: used }),
    processes: readProcesses(processes),
  };
  const warnings = gapsOf(accelerator, "nvidia-smi -q -x");
  if (unnamed > 0)
    warnings.push(`${name} ${uuid}: the identities of ${unnamed} MIG devices are not told, so they are left out`);
  return { accelerators: [accelerator], usage: [ownUsage, ...migUsage], warnings };
}

function readProcesses(processes: readonly Element[]): AcceleratorProcess[] {
  return processes.flatMap((process) => {
    const pid = readPid(textAt(process, "pid"));
    const memoryBytes = readBytes(textAt(process, "used_memory"));
    const name = programName(textAt(process, "process_name"));
    return pid === undefined ? [] : [{ pid, name, ...(memoryBytes === undefined ? {} : { memoryBytes }) }];
  });
}

/** Lines such as `GPU-5f2b0e52-..., 9.0`. */
function readCapabilities(csv: string): Map<string, string> {
  const found = [...csv.matchAll(/^(\S+), *(\d{1,2}\.\d)\s*$/gm)];
  return new Map(found.map(([, uuid = "", capability = ""]) => [uuid, capability]));
}

/** `nvidia-smi -L`: a line for each GPU and, indented below it, one for each of its MIG devices. */
function readMigNames(list: string): MigNames {
  const names = new Map<string, { profile: string; uuid: string }>();
  let gpu = "";
  for (const line of list.split("\n")) {
    gpu = /^GPU \d+: .*\(UUID: ([^)\s]+)\)/.exec(line)?.[1] ?? gpu;
    const [, profile, device, uuid] = /^\s+MIG (\S+)\s+Device\s+(\d+): \(UUID: ([^)\s]+)\)/.exec(line) ?? [];
    if (profile !== undefined && device !== undefined && uuid !== undefined)
      names.set(`${gpu} ${device}`, { profile, uuid });
  }
  return names;
}

function join(sightings: readonly Sighting[]): Sighting {
  return {
    accelerators: sightings.flatMap(({ accelerators }) => accelerators),
    usage: sightings.flatMap(({ usage }) => usage),
    warnings: sightings.flatMap(({ warnings }) => warnings),
  };
}
