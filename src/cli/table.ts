import { createRequire } from "node:module";

import type Table from "cli-table3";

/** Most tables need no library, and it would make each start longer. */
const load = createRequire(import.meta.url) as (name: "cli-table3") => typeof Table;

/** A table without lines, as commands print it. */
export function plainTable(head: string[], rows: readonly string[][]): string {
  return simpleTable([head, ...rows]) ?? wholeTable(head, rows);
}

/** The same of plain letters alone, of which each is as wide as the others: long tables take the library long. */
function simpleTable(rows: readonly (readonly string[])[]): string | undefined {
  const columns = Math.max(...rows.map((row) => row.length));
  const isSimple = rows.every((row) => row.length === columns && row.every((cell) => /^[ -~]*$/.test(cell)));
  if (!isSimple || columns === 0) return undefined;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) => row.map((cell, column) => ` ${cell.padEnd(widths[column] ?? 0)} `).join(" ")).join("\n");
}

function wholeTable(head: string[], rows: readonly string[][]): string {
  const LibraryTable = load("cli-table3");
  const table = new LibraryTable({ head, style: { head: [], border: [] }, chars: plainBorders });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}

const plainBorders = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: " ",
};
