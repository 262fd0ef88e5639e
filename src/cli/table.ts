import Table from "cli-table3";

/** A table without lines, as commands print it. */
export function plainTable(head: string[], rows: readonly string[][]): string {
  const table = new Table({ head, style: { head: [], border: [] }, chars: plainBorders });
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
