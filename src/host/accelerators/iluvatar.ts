import type { AcceleratorProcess } from "../../schema/facts.js";
import { nothingFound, notUnderstood, sight, type Detector, type Finding } from "./detector.js";
import { identify } from "./identity.js";
import { cellsOf, csvRows, programName, readBusId, readBytes, readPid, told, wholeNumber } from "./values.js";

const query = "--query-gpu=index,name,memory.total,memory.used,driver_version";

/**
 * Iluvatar's GPUs, by `ixsmi`. The CUDA version that it prints is the one whose interface CoreX copies, not CoreX' own,
 * so no runtime version is told.
 */
export const iluvatar: Detector = {
  vendor: "iluvatar",

  ask(answers) {
    const gpus = { gpus: { argv: ["ixsmi", query, "--format=csv"] as const } };
    if (readRows(answers.gpus).length === 0) return gpus;
    return {
      ...gpus,
      identities: { argv: ["ixsmi", "--query-gpu=index,uuid", "--format=csv"], optional: true },
      // Bus ids and processes.
      table: { argv: ["ixsmi"] },
    };
  },

  read({ gpus, identities, table = "" }) {
    if (gpus === undefined) return nothingFound;
    const rows = readRows(gpus);
    if (rows.length === 0) return notUnderstood("ixsmi --query-gpu");
    const uuids = readRows(identities);
    const buses = readBuses(table);
    const processes = readProcesses(table);
    return sight(
      rows.map(({ index, row }) => {
        const uuid = told(uuids.find((other) => other.index === index)?.row.uuid);
        const own = processes.filter(({ gpu }) => gpu === index).map(({ process }) => process);
        return describe(index, row, { uuid, pciBusId: buses.get(index), processes: table === "" ? undefined : own });
      }),
      "ixsmi",
    );
  },
};

type Row = Readonly<Record<string, string>>;

function readRows(csv: string | undefined): { index: number; row: Row }[] {
  return csvRows(csv ?? "").flatMap((row) => {
    const index = wholeNumber(row.index);
    return index === undefined ? [] : [{ index, row }];
  });
}

interface Seen {
  readonly uuid: string | undefined;
  readonly pciBusId: string | undefined;
  readonly processes: AcceleratorProcess[] | undefined;
}

function describe(index: number, row: Row, { uuid, pciBusId, processes }: Seen): Finding {
  const identity = identify({ uuid, pciBusId, fallback: `iluvatar-${index}` });
  const used = readBytes(row["memory.used"]);
  return {
    accelerator: {
      type: "corex",
      vendor: "iluvatar",
      name: told(row.name) ?? "Iluvatar GPU",
      index,
      ...identity,
      memoryBytes: readBytes(row["memory.total"]) ?? 0,
      driverVersion: told(row.driver_version) ?? "unknown",
    },
    usage: {
      uuid: identity.uuid,
      ...(used === undefined ? {} : { memoryUsedBytes: used }),
      ...(processes === undefined ? {} : { processes }),
    },
  };
}

/** `| 0    Iluvatar BI-V100         | 00000000:98:00.0     | 1500MHz   1200MHz    |` */
function readBuses(table: string): Map<number, string> {
  const found = table.split("\n").flatMap((line) => {
    const [first = "", second] = cellsOf(line);
    const index = wholeNumber(first.split(/\s/)[0]);
    const bus = readBusId(second?.split(/\s/)[0]);
    return index === undefined || bus === undefined ? [] : [[index, bus] as const];
  });
  return new Map(found);
}

/** A row of one cell: GPU, process id, name, memory in MiB. */
function readProcesses(table: string): { gpu: number; process: AcceleratorProcess }[] {
  return table.split("\n").flatMap((line) => {
    const [cell = "", ...others] = cellsOf(line);
    const [, gpu, digits, name, memory] = /^(\d{1,4})\s+(\d+)\s+(\S.*?)\s+(\d+)(?:MiB)?$/.exec(cell) ?? [];
    const pid = readPid(digits);
    if (others.length > 0 || gpu === undefined || pid === undefined) return [];
    const memoryBytes = readBytes(memory);
    const process = { pid, name: programName(name), ...(memoryBytes === undefined ? {} : { memoryBytes }) };
    return [{ gpu: Number(gpu), process }];
  });
}
