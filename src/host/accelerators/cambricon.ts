import type { AcceleratorProcess } from "../../schema/facts.js";
import { nothingFound, notUnderstood, sight, type Detector, type Finding } from "./detector.js";
import { identify } from "./identity.js";
import { programName, readBusId, readBytes, readPid, told, wholeNumber } from "./values.js";

/**
 * Cambricon's MLUs, by `cnmon info`. Its JSON is not asked for, because cnmon writes that into a file where it is run.
 */
export const cambricon: Detector = {
  vendor: "cambricon",

  ask: () => ({ info: { argv: ["cnmon", "info"] } }),

  read({ info }) {
    if (info === undefined) return nothingFound;
    const found = splitCards(info).flatMap(([index, lines]) => readCard(index, lines));
    return found.length === 0 ? notUnderstood("cnmon info") : sight(found, "cnmon info");
  },
};

/** The lines below each `Card 0`. */
function splitCards(text: string): [number, string[]][] {
  const cards: [number, string[]][] = [];
  for (const line of text.split("\n")) {
    const index = wholeNumber(/^\s*Card\s+(\d{1,4})\s*$/.exec(line)?.[1]);
    if (index === undefined) cards.at(-1)?.[1].push(line);
    else cards.push([index, []]);
  }
  return cards;
}

/** A card is lines `name : value`; a line `name :` begins a section, whose lines are indented further. */
function readCard(index: number, lines: readonly string[]): Finding[] {
  const values = new Map<string, string>();
  let section = "";
  let sectionIndent = 0;
  for (const line of lines) {
    const [, indent = "", name, value] = /^(\s*)(\S[^:]*?)\s*:\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    if (section !== "" && indent.length <= sectionIndent) section = "";
    if (value === "") {
      section = name.toLowerCase();
      sectionIndent = indent.length;
      continue;
    }
    const key = section === "" ? name.toLowerCase() : `${section}/${name.toLowerCase()}`;
    if (!values.has(key)) values.set(key, value);
  }
  const name = told(values.get("product name"));
  if (name === undefined) return [];
  const identity = identify({
    uuid: told(values.get("uuid")),
    pciBusId: readBus(values),
    fallback: `cambricon-${index}`,
  });
  const used = readBytes(values.get("physical memory usage/used"));
  return [
    {
      accelerator: {
        type: "neuware",
        vendor: "cambricon",
        name,
        index,
        ...identity,
        memoryBytes: readBytes(values.get("physical memory usage/total")) ?? 0,
        driverVersion: told(values.get("driver"))?.replace(/^v(?=\d)/, "") ?? "unknown",
      },
      usage: {
        uuid: identity.uuid,
        ...(used === undefined ? {} : { memoryUsedBytes: used }),
        processes: readProcesses(lines),
      },
    },
  ];
}

/** The parts of the bus id are hexadecimal, without leading zeros in some releases. */
function readBus(values: ReadonlyMap<string, string>): string | undefined {
  const part = (...names: readonly string[]) =>
    names.map((name) => values.get(`pci/${name}`)).find((value) => value !== undefined) ?? "";
  const domain = part("domain id", "domain").padStart(4, "0");
  const bus = part("bus num", "bus").padStart(2, "0");
  const device = part("device", "device num").padStart(2, "0");
  return readBusId(`${domain}:${bus}:${device}.${part("function", "function num")}`);
}

/** Lines such as `Process 1`, and below it `PID`, `Process Name` and its memory. */
function readProcesses(lines: readonly string[]): AcceleratorProcess[] {
  const text = lines.join("\n");
  const blocks = text.split(/^\s*PID\s*:/m).slice(1);
  return blocks.flatMap((block) => {
    const pid = readPid(/^\s*(\d+)/.exec(block)?.[1]);
    const name = programName(/^\s*(?:Process Name|Name|Command Line)\s*:\s*(\S.*)$/im.exec(block)?.[1]);
    const memoryBytes = readBytes(/^\s*(?:Physical Memory(?: Used)?|Memory)\s*:\s*(\d+ [KMG]iB)/im.exec(block)?.[1]);
    return pid === undefined ? [] : [{ pid, name, ...(memoryBytes === undefined ? {} : { memoryBytes }) }];
  });
}
