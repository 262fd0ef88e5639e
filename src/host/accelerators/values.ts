// Reads the values that vendors' tools print.

const unknownValues = /^\[?(?:n\/?a|none|null|not supported|unknown(?: error)?|not found|-|)\]?$/i;
const bytesPerUnit: Readonly<Record<string, number>> = { b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** A value as text; undefined where the tool says that it does not know. */
export function told(value: string | undefined): string | undefined {
  const text = value?.trim() ?? "";
  return unknownValues.test(text) ? undefined : text;
}

/** A whole number that is not negative. */
export function wholeNumber(text: string | undefined): number | undefined {
  const value = /^\d{1,15}$/.test(text?.trim() ?? "") ? Number(text) : undefined;
  return value !== undefined && Number.isSafeInteger(value) ? value : undefined;
}

/**
 * Bytes of `81559 MiB`, or of a bare number in the given unit. Vendors' tools count in powers of 1024 and often write
 * MB for MiB, so both mean the same here.
 */
export function readBytes(text: string | undefined, bareUnit: "B" | "MiB" = "MiB"): number | undefined {
  const [, amount, unit = bareUnit] = /^(\d{1,15}(?:\.\d{1,6})?)\s*([KMGT]?i?B)?$/i.exec(text?.trim() ?? "") ?? [];
  const factor = bytesPerUnit[unit.charAt(0).toLowerCase()];
  if (amount === undefined || factor === undefined) return undefined;
  const bytes = Math.round(Number(amount) * factor);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** A process id. */
export function readPid(text: string | undefined): number | undefined {
  const pid = wholeNumber(text);
  return pid === undefined || pid === 0 ? undefined : pid;
}

/** A PCI bus id in the form that Linux uses: `00000000:0A:00.0` is `0000:0a:00.0`. */
export function readBusId(text: string | undefined): string | undefined {
  const found = /^([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$/i.exec(text?.trim() ?? "");
  const [, domain, bus, device, part] = found ?? [];
  if (domain === undefined || bus === undefined || device === undefined || part === undefined) return undefined;
  return `${domain.replace(/^0+(?=.{4})/, "")}:${bus}:${device}.${part}`.toLowerCase();
}

/**
 * The name of a program without its folder and arguments, which may hold secrets. A path with blanks loses what comes
 * after the first.
 */
export function programName(command: string | undefined): string {
  const [first = ""] = (told(command) ?? "").split(/\s/);
  return told(first.slice(first.lastIndexOf("/") + 1)) ?? "unknown";
}

/** The cells of a line of a table drawn with `|`; none of any other line. */
export function cellsOf(line: string): string[] {
  const text = line.trim();
  if (!text.startsWith("|")) return [];
  return text
    .replace(/^\||\|$/g, "")
    .split("|")
    .map((cell) => cell.trim());
}

/** The rows of a CSV answer with its header, by the header's names without units; tools quote nothing. */
export function csvRows(text: string): Readonly<Record<string, string>>[] {
  const [header = "", ...lines] = text.split("\n").filter((line) => line.includes(","));
  const names = header.split(",").map((name) =>
    name
      .replace(/\[.*\]/, "")
      .trim()
      .toLowerCase(),
  );
  return lines.map((line) => {
    const values = line.split(",").map((value) => value.trim());
    return Object.fromEntries(names.map((name, column) => [name, values[column] ?? ""]));
  });
}
