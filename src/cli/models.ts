import { formatBytes } from "../lib/format.js";
import { openContexts } from "./contexts.js";
import { contextsOf, describeModels, onEachHost, readStack, surveyHost, type ModelRow } from "./model-survey.js";
import { plainTable } from "./table.js";
import { chooseStack, type Workplace } from "./workplace.js";

export interface ModelsOptions {
  stack?: string;
  json?: boolean;
}

/** Lists the models that lie on a stack's hosts. Changes nothing. */
export async function models(workplace: Workplace, named: string | undefined, options: ModelsOptions): Promise<void> {
  const stack = await readStack(workplace, await chooseStack(workplace, options.stack), named);
  const contexts = contextsOf(stack, openContexts(workplace, new AbortController().signal));
  const { done, assertAll } = await onEachHost(workplace, contexts, async (context) =>
    describeModels(await surveyHost(context, stack), context.reference, stack),
  );
  const rows: ModelRow[] = done.flat();
  workplace.print(options.json === true ? JSON.stringify(rows, undefined, 2) : formatModels(rows));
  assertAll();
}

/** For people: the table, and what it is in all. */
export function formatModels(rows: readonly ModelRow[]): string {
  if (rows.length === 0) return "no models";
  const unused = rows.filter(({ place, users }) => place === "cache" && users.length === 0);
  const wayOut = unused.length === 0 ? "" : `; \`berth models evict\` removes ${sizeOf(unused)} that nobody wants`;
  return `${modelTable(rows)}\n${sizeOf(rows)} in all${wayOut}`;
}

export function sizeOf(rows: readonly Pick<ModelRow, "sizeBytes">[]): string {
  return formatBytes(rows.reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0));
}

export function modelTable(rows: readonly ModelRow[]): string {
  return plainTable(
    ["HOST", "MODEL", "SOURCE", "FILES", "SIZE", "PLACE", "USERS", "LAST USE"],
    rows.map((row) => [
      row.host,
      row.sha256.slice(0, 12),
      row.source === "" ? (row.files[0]?.path ?? "-") : row.source,
      String(row.files.length),
      formatBytes(row.sizeBytes),
      row.incomplete ? `${row.place}, incomplete` : row.place,
      row.users.length === 0 ? "none" : row.users.join("\n"),
      row.lastUsed === undefined ? "now" : row.lastUsed.toISOString().slice(0, 16).replace("T", " "),
    ]),
  );
}
