import type { Accelerator, AcceleratorProcess, AcceleratorUsage } from "../../schema/facts.js";
import {
  nothingFound,
  notUnderstood,
  sight,
  type Answers,
  type Detector,
  type Question,
  type Sighting,
} from "./detector.js";
import { identify } from "./identity.js";
import { readTopology, type Place } from "./topology.js";
import { cellsOf, programName, readBusId, readBytes, readPid, told, wholeNumber } from "./values.js";

/** A garbled table must not make Berth ask for thousands of boards. */
const mostChips = 64;

/**
 * Huawei's NPUs, by `npu-smi`. Read against outputs of its releases 23 to 25, for 310P, 910B and 910C (A3, two chips
 * a card).
 */
export const ascend: Detector = {
  vendor: "huawei",

  ask(answers) {
    const table: Record<string, Question> = { table: { argv: ["npu-smi", "info"] } };
    const chips = readTable(answers.table ?? "");
    if (chips.length === 0) return table;
    const boards = chips.map(({ card, chip }): [string, Question] => [
      boardName(card, chip),
      { argv: ["npu-smi", "info", "-t", "board", "-i", String(card), "-c", String(chip)], optional: true },
    ]);
    return {
      ...table,
      topology: { argv: ["npu-smi", "info", "-t", "topo"], optional: true },
      cann: { argv: ["cat", toolkitFile("x86_64")], optional: true },
      cannArm: { argv: ["cat", toolkitFile("aarch64")], optional: true },
      ...Object.fromEntries(boards),
    };
  },

  read(answers) {
    if (answers.table === undefined) return nothingFound;
    const chips = readTable(answers.table);
    if (chips.length === 0) return notUnderstood("npu-smi info");
    return readChips(chips, answers.table, answers);
  },
};

interface Chip {
  readonly card: number;
  readonly chip: number;
  /** Index by which programs know it. */
  readonly index: number;
  readonly name: string;
  readonly pciBusId: string | undefined;
  readonly usedBytes: number | undefined;
  readonly totalBytes: number | undefined;
}

function toolkitFile(architecture: string): string {
  return `/usr/local/Ascend/ascend-toolkit/latest/${architecture}-linux/ascend_toolkit_install.info`;
}

function boardName(card: number, chip: number): string {
  return `board-${card}-${chip}`;
}

/** Two lines for each chip: card and name, then chip, bus id and memory. */
function readTable(text: string): Chip[] {
  const rows = text.split("\n").map(cellsOf);
  return rows
    .flatMap((row, line): Omit<Chip, "index">[] => {
      const [, card, name] = /^(\d{1,4})\s+(\S.*)$/.exec(row[0] ?? "") ?? [];
      const next = rows[line + 1] ?? [];
      const [, chip] = /^(\d{1,4})(?:\s+\d+)?$/.exec(next[0] ?? "") ?? [];
      if (row.length !== 3 || next.length !== 3 || card === undefined || name === undefined || chip === undefined)
        return [];
      // Memory-Usage, then HBM-Usage where there is HBM.
      const amounts = [...(next[2] ?? "").matchAll(/(\d+)\s*\/\s*(\d+)/g)].filter(([, , total]) => Number(total) > 0);
      const [, used, total] = amounts.at(-1) ?? [];
      return [
        {
          card: Number(card),
          chip: Number(chip),
          name: name.trim(),
          pciBusId: readBusId(next[1]),
          usedBytes: readBytes(used),
          totalBytes: readBytes(total),
        },
      ];
    })
    .slice(0, mostChips)
    .map((chip, index) => ({ ...chip, index }));
}

function readChips(chips: readonly Chip[], table: string, answers: Answers): Sighting {
  const driverVersion = /\bVersion:\s*(\S+)/.exec(table)?.[1] ?? "unknown";
  const runtimeVersion = /^version=(\S+)/m.exec(answers.cann ?? answers.cannArm ?? "")?.[1];
  const places = readTopology(answers.topology ?? "");
  const processes = readProcesses(table);
  const found = chips.map((chip) => {
    const board = answers[boardName(chip.card, chip.chip)] ?? "";
    const versions = { driverVersion, ...(runtimeVersion === undefined ? {} : { runtimeVersion }) };
    const accelerator = { ...readChip(chip, board, places.get(chip.index)), ...versions };
    const own = processes.filter(({ card, chip: number }) => card === chip.card && number === chip.chip);
    const usage: AcceleratorUsage = {
      uuid: accelerator.uuid,
      ...(chip.usedBytes === undefined ? {} : { memoryUsedBytes: chip.usedBytes }),
      processes: own.map(({ process }) => process),
    };
    return { accelerator, usage };
  });
  return sight(found, "npu-smi info");
}

function readChip(chip: Chip, board: string, place: Place | undefined): Omit<Accelerator, "driverVersion"> {
  const { index, name, totalBytes = 0 } = chip;
  // The die's number is five words; the bus id tells chips apart where it is not told.
  const die = told(/^\s*V?Die ID\s*:\s*([0-9A-F ]+)$/im.exec(board)?.[1])?.replaceAll(" ", "");
  const pciBusId = chip.pciBusId ?? readBusId(/^\s*PCIe Bus Info\s*:\s*(\S+)/im.exec(board)?.[1]);
  return {
    type: "cann",
    vendor: "huawei",
    name,
    index,
    ...identify({ uuid: die, pciBusId, fallback: `ascend-${index}` }),
    memoryBytes: totalBytes,
    soc: name.startsWith("Ascend") ? name.replaceAll(" ", "") : `Ascend${name}`,
    ...place,
  };
}

interface ChipProcess {
  readonly card: number;
  readonly chip: number;
  readonly process: AcceleratorProcess;
}

/** Rows of four cells: card and chip, process id, name, memory in MiB. */
function readProcesses(text: string): ChipProcess[] {
  return text.split("\n").flatMap((line) => {
    const cells = cellsOf(line);
    const [card, chip] = (cells[0] ?? "").split(/\s+/).map(wholeNumber);
    const pid = readPid(cells[1]);
    if (cells.length < 4 || card === undefined || chip === undefined || pid === undefined) return [];
    const memoryBytes = readBytes(cells[3]);
    const process = { pid, name: programName(cells[2]), ...(memoryBytes === undefined ? {} : { memoryBytes }) };
    return [{ card, chip, process }];
  });
}
