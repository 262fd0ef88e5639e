import { resolve } from "node:path";

import { listModels, type StoredModel } from "../install/model-inventory.js";
import { BerthError } from "../lib/errors.js";
import { formatBytes } from "../lib/format.js";
import { lockPath, readLock } from "../lock/lock-file.js";
import { shown } from "../lock/project.js";
import { desiredStack, type DesiredHost, type DesiredStack } from "../planner/desired.js";
import { openContexts } from "./contexts.js";
import { plainTable } from "./table.js";
import { chooseStack, projectName, stackFileOf, type Workplace } from "./workplace.js";

export interface ModelsOptions {
  stack?: string;
  json?: boolean;
}

/** A model on a host, with who uses it: deployments of this stack by their names, other stacks as PROJECT/STACK. */
export interface ModelRow extends Omit<StoredModel, "wantedBy"> {
  readonly host: string;
  readonly users: readonly string[];
}

/** Lists the models that lie on a stack's hosts. Changes nothing. */
export async function models(workplace: Workplace, named: string | undefined, options: ModelsOptions): Promise<void> {
  const { root } = workplace;
  const stack = await chooseStack(workplace, options.stack);
  const owner = `${projectName(root)}/${stack}`;
  const desired = desiredStack(await readDecisions(root, stack), root);
  const contexts = openContexts(workplace, new AbortController().signal);
  const rows: ModelRow[] = [];
  for (const { name, host } of chooseHosts(desired.hosts, named)) {
    const { host: machine } = contexts.of(host, (text) => text);
    for (const model of await listModels(machine, host.dataDir)) rows.push(describeModel(name, model, desired, owner));
  }
  workplace.print(options.json === true ? JSON.stringify(rows, undefined, 2) : formatModels(rows));
}

async function readDecisions(root: string, stack: string) {
  const path = lockPath(resolve(root, stackFileOf(root, stack)));
  const lock = await readLock(path, shown(root, path));
  if (lock !== undefined) return lock;
  throw new BerthError("lock-missing", {
    where: shown(root, path),
    what: "the lock is missing, which says where the hosts have their models",
    hint: `run \`berth lock ${stack}\``,
  });
}

function chooseHosts(hosts: readonly DesiredHost[], named: string | undefined): readonly DesiredHost[] {
  const chosen = named === undefined ? hosts : hosts.filter(({ name }) => name === named);
  if (chosen.length > 0 || named === undefined) return chosen;
  throw new BerthError("usage", {
    what: "the stack has no such host",
    got: named,
    expected: hosts.map(({ name }) => name).join(" or "),
  });
}

function describeModel(
  host: string,
  { wantedBy, ...model }: StoredModel,
  { models: wanted }: DesiredStack,
  owner: string,
): ModelRow {
  const users = wantedBy.flatMap((resource) => {
    if (resource.owner !== owner) return [resource.owner];
    const own = wanted.find((model) => model.host.name === host && model.name === resource.name);
    return own?.users ?? [owner];
  });
  return { host, ...model, users: [...new Set(users)].sort() };
}

/** The table for people. */
export function formatModels(rows: readonly ModelRow[]): string {
  if (rows.length === 0) return "no models";
  const total = rows.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const table = plainTable(
    ["HOST", "MODEL", "SOURCE", "FILES", "SIZE", "PLACE", "USERS", "LAST USE"],
    rows.map((row) => [
      row.host,
      row.sha256.slice(0, 12),
      row.source === "" ? (row.files[0]?.path ?? "-") : row.source,
      String(row.files.length),
      formatBytes(row.sizeBytes),
      row.incomplete ? `${row.place}, incomplete` : row.place,
      row.users.length === 0 ? "-" : row.users.join("\n"),
      row.lastUsed === undefined ? "now" : row.lastUsed.toISOString().slice(0, 16).replace("T", " "),
    ]),
  );
  return `${table}\n${formatBytes(total)} in all; what is in the cache may be deleted at any time`;
}
