import { identify } from "./identity.js";
import { notUnderstood, sight, type Finding, type Sighting } from "./detector.js";
import { entriesOf, jsonText, parseJson, valueAt } from "./json.js";
import { readBusId, readBytes, told, wholeNumber } from "./values.js";

/** Options that both AMD's `rocm-smi` and Hygon's have. */
export const rocmSmiOptions = [
  "--showid",
  "--showmeminfo",
  "vram",
  "--showproductname",
  "--showuniqueid",
  "--showserial",
  "--showdriverversion",
] as const;

interface Beside {
  readonly driverVersion?: string | undefined;
  readonly runtimeVersion: string | undefined;
  /** The cards' bus ids, by `--showbus --json`, where they are not in the text. */
  readonly buses?: string | undefined;
}

/**
 * The JSON of `rocm-smi`, a card each: AMD's in the forms of ROCm 4 to 6, or Hygon's, whose DTK has a `rocm-smi` of its
 * own. Cards of the other vendor are left out. It does not tell which process uses which card.
 */
export function readRocmSmi(text: string, vendor: "amd" | "hygon", beside: Beside): Sighting {
  const json = parseJson(text);
  const cards = entriesOf(json).filter(([key]) => /^card\d{1,4}$/.test(key));
  if (cards.length === 0) return notUnderstood("rocm-smi --json");
  const system = entriesOf(json).find(([key]) => key === "system")?.[1];
  const driverVersion =
    told(beside.driverVersion) ?? told(textOf(system, "driver version")) ?? told(textOf(json, "driver version"));
  const found = cards
    .filter(([, card]) => isHygon(card) === (vendor === "hygon"))
    .map(([key, card]) => readCard(Number(key.slice("card".length)), card, vendor, { ...beside, driverVersion }));
  return sight(found, vendor === "hygon" ? "hy-smi" : "rocm-smi");
}

/** The value of a key, whatever the case of its letters, which differs between releases. */
function textOf(card: unknown, wanted: string): string | undefined {
  const found = entriesOf(card).find(([key]) => key.toLowerCase() === wanted);
  return found === undefined ? undefined : jsonText(found[1]);
}

function isHygon(card: unknown): boolean {
  const vendor = textOf(card, "card vendor") ?? "";
  return /haiguang|hygon/i.test(vendor) || entriesOf(card).some(([key]) => /^[dh]cu\b/i.test(key));
}

function readCard(
  index: number,
  card: unknown,
  vendor: "amd" | "hygon",
  { driverVersion = "unknown", runtimeVersion, buses = "" }: Beside,
): Finding {
  const busId = textOf(card, "pci bus") ?? textOf(valueAt(parseJson(buses), `card${index}`), "pci bus");
  const identity = identify({
    uuid: readSerial(textOf(card, "unique id")) ?? readSerial(textOf(card, "serial number")),
    pciBusId: readBusId(busId),
    fallback: `${vendor}-${index}`,
  });
  const llvmTarget = told(textOf(card, "gfx version"));
  const used = readMemory(card, "vram total used memory");
  return {
    accelerator: {
      type: vendor === "hygon" ? "dtk" : "rocm",
      vendor,
      name: productOf(card) ?? (vendor === "hygon" ? "Hygon DCU" : "AMD GPU"),
      index,
      ...identity,
      memoryBytes: readMemory(card, "vram total memory") ?? 0,
      driverVersion,
      ...(runtimeVersion === undefined ? {} : { runtimeVersion }),
      // What rocm-smi writes is often no LLVM target: gfx11001 for gfx1101.
      ...(llvmTarget !== undefined && /^gfx\d{2,3}[0-9a-c]$/.test(llvmTarget) ? { llvmTarget } : {}),
    },
    usage: { uuid: identity.uuid, ...(used === undefined ? {} : { memoryUsedBytes: used }) },
  };
}

/** Names are where each release has them; some are only the number of the model. */
function productOf(card: unknown): string | undefined {
  const names = ["card series", "device name", "card model"].map((key) => told(textOf(card, key)));
  return names.find((name) => name !== undefined && !/^0x[0-9a-f]+$/i.test(name));
}

function readSerial(text: string | undefined): string | undefined {
  const serial = told(text);
  return serial === undefined || /^(?:0x)?0+$/.test(serial) ? undefined : serial;
}

/** ROCm gives bytes, DTK MiB, each with its unit in the key. */
function readMemory(card: unknown, key: string): number | undefined {
  const bytes = wholeNumber(textOf(card, `${key} (b)`));
  return bytes ?? readBytes(textOf(card, `${key} (mib)`));
}
