import type { AcceleratorProcess } from "../../schema/facts.js";
import { nothingFound, notUnderstood, sight, type Detector, type Finding } from "./detector.js";
import { identify } from "./identity.js";
import { readTopology, type Place } from "./topology.js";
import { cellsOf, programName, readBusId, readBytes, readPid, told, wholeNumber } from "./values.js";

/** MetaX's GPUs, by `mx-smi`. Read against outputs of its releases 2.1 and 2.2. */
export const metax: Detector = {
  vendor: "metax",

  ask(answers) {
    const table = { table: { argv: ["mx-smi"] as const } };
    if (!/\bMX-SMI\b/.test(answers.table ?? "")) return table;
    return {
      ...table,
      list: { argv: ["mx-smi", "-L"], optional: true },
      topology: { argv: ["mx-smi", "topo", "-m"], optional: true },
    };
  },

  read({ table, list = "", topology = "" }) {
    if (table === undefined) return nothingFound;
    const found = readTable(table, readIdentities(list), readTopology(topology));
    return found.length === 0 ? notUnderstood("mx-smi") : sight(found, "mx-smi");
  },
};

/** Two lines for each GPU: index, name and bus id, then temperature, memory and state. */
function readTable(
  text: string,
  identities: ReadonlyMap<number, string>,
  places: ReadonlyMap<number, Place>,
): Finding[] {
  const driverVersion = told(/Driver Version:\s*([^\s|]+)/.exec(text)?.[1]) ?? "unknown";
  const runtimeVersion = told(/MACA Version:\s*([^\s|]+)/.exec(text)?.[1]);
  const processes = readProcesses(text);
  const rows = text.split("\n").map(cellsOf);
  return rows.flatMap((row, line) => {
    // Newer releases put the persistence mode behind the name.
    const [, digits, name] = /^(\d{1,4})\s+(\S.*?)(?:\s+(?:On|Off))?$/.exec(row[0] ?? "") ?? [];
    const index = wholeNumber(digits);
    const pciBusId = readBusId(row[1]);
    const [, used, total] = /^(\d+)\/(\d+) MiB$/.exec(rows[line + 1]?.[1] ?? "") ?? [];
    if (index === undefined || name === undefined || pciBusId === undefined) return [];
    const identity = identify({ uuid: identities.get(index), pciBusId, fallback: `metax-${index}` });
    const usedBytes = readBytes(used);
    return [
      {
        accelerator: {
          type: "maca",
          vendor: "metax",
          name,
          index,
          ...identity,
          memoryBytes: readBytes(total) ?? 0,
          driverVersion,
          ...(runtimeVersion === undefined ? {} : { runtimeVersion }),
          ...places.get(index),
        },
        usage: {
          uuid: identity.uuid,
          ...(usedBytes === undefined ? {} : { memoryUsedBytes: usedBytes }),
          processes: processes.filter(({ gpu }) => gpu === index).map(({ process }) => process),
        },
      },
    ];
  });
}

/** `GPU#0    MXC500    0000:06:00.0    Available (UUID: GPU-...)` */
function readIdentities(list: string): Map<number, string> {
  const found = list.matchAll(/^GPU#?\s*(\d{1,4})\b.*\(UUID\s*:?\s*([^)\s]+)\)/gim);
  return new Map([...found].flatMap(([, index, uuid]) => (uuid === undefined ? [] : [[Number(index), uuid] as const])));
}

/** A row of one cell: GPU, process id, name, memory in MiB; some releases put the kind of the process in between. */
function readProcesses(text: string): { gpu: number; process: AcceleratorProcess }[] {
  return text.split("\n").flatMap((line) => {
    const [cell = "", ...others] = cellsOf(line);
    const [, gpu, digits, name, memory] = /^(\d{1,4})\s+(\d+)\s+(?:[CG]\s+)?(\S.*?)\s+(\d+)$/.exec(cell) ?? [];
    const pid = readPid(digits);
    if (others.length > 0 || gpu === undefined || pid === undefined) return [];
    const memoryBytes = readBytes(memory);
    const process = { pid, name: programName(name), ...(memoryBytes === undefined ? {} : { memoryBytes }) };
    return [{ gpu: Number(gpu), process }];
  });
}
