import { nothingFound, notUnderstood, sight, type Detector, type Finding } from "./detector.js";
import { identify } from "./identity.js";
import { entriesOf, itemsOf, jsonText, parseJson, valueAt } from "./json.js";
import { readBusId, readBytes, told, wholeNumber } from "./values.js";

const tool = "mthreads-gmi";

/**
 * Moore Threads' GPUs, by `mthreads-gmi -q --json`, else by the table that `mthreads-gmi` prints. Which process uses
 * which GPU is not told.
 */
export const mthreads: Detector = {
  vendor: "mthreads",

  ask(answers) {
    const first = { json: { argv: ["mthreads-gmi", "-q", "--json"] as const, optional: true as const } };
    const table = { table: { argv: ["mthreads-gmi"] as const } };
    return readJson(answers.json ?? "").length === 0 ? { ...first, ...table } : first;
  },

  read({ json, table }) {
    const found = readJson(json ?? "");
    if (found.length > 0) return sight(found, tool);
    if (table === undefined) return json === undefined ? nothingFound : notUnderstood("mthreads-gmi -q --json");
    const read = readTable(table);
    return read.length === 0 ? notUnderstood("mthreads-gmi") : sight(read, tool);
  },
};

interface Values {
  readonly index: number;
  readonly name: string;
  readonly uuid?: string | undefined;
  readonly pciBusId: string | undefined;
  readonly total: number | undefined;
  readonly used: number | undefined;
  readonly driverVersion: string | undefined;
}

function describe({ index, name, uuid, pciBusId, total, used, driverVersion }: Values): Finding {
  const identity = identify({ uuid, pciBusId, fallback: `mthreads-${index}` });
  return {
    accelerator: {
      type: "musa",
      vendor: "mthreads",
      name,
      index,
      ...identity,
      memoryBytes: total ?? 0,
      driverVersion: driverVersion ?? "unknown",
    },
    usage: { uuid: identity.uuid, ...(used === undefined ? {} : { memoryUsedBytes: used }) },
  };
}

function readJson(text: string): Finding[] {
  const json = parseJson(text);
  const driverVersion = told(jsonText(json, "Driver Version"));
  return itemsOf(valueAt(json, "GPU")).flatMap((gpu) => {
    const index = wholeNumber(jsonText(gpu, "Index"));
    const name = told(jsonText(gpu, "Product Name"));
    if (index === undefined || name === undefined) return [];
    return describe({
      index,
      name,
      driverVersion,
      uuid: told(findText(gpu, /uuid/i)),
      pciBusId: readBusId(findText(gpu, /bus.?id|pci/i)),
      total: readBytes(jsonText(gpu, "FB Memory Usage", "Total")),
      used: readBytes(jsonText(gpu, "FB Memory Usage", "Used")),
    });
  });
}

/** The first text under a key of the object, or of one right in it: the keys differ between releases. */
function findText(gpu: unknown, key: RegExp): string | undefined {
  const near = entriesOf(gpu).flatMap(([name, value]) => [[name, value] as const, ...entriesOf(value)]);
  return near.flatMap(([name, value]) => (key.test(name) ? [jsonText(value)] : [])).find((text) => text !== undefined);
}

/** `0    MTT S4000   |00000000:08:00.0    |0%    0MiB(49152MiB)` */
function readTable(text: string): Finding[] {
  const driverVersion = /Driver Version:\s*(\S+)/.exec(text)?.[1];
  const rows = text.matchAll(/^(\d{1,4})\s+([^|\n]*?)\s*\|\s*([0-9a-fA-F:.]+)\s*\|[^|\n]*?(\d+MiB)\((\d+MiB)\)/gm);
  return [...rows].map(([, index, name = "", bus, used, total]) =>
    describe({
      index: Number(index),
      name,
      driverVersion,
      pciBusId: readBusId(bus),
      total: readBytes(total),
      used: readBytes(used),
    }),
  );
}
