import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";

import { isMap, isNode, parseDocument, type Document, type YAMLMap } from "yaml";

import { BerthError } from "../lib/errors.js";
import { currentLock, readPreviousLock } from "../lock/current.js";
import { findMoves } from "../planner/moves.js";
import { openLock } from "./lock.js";
import { movesTable } from "./what-if.js";
import { chooseStack, projectName, stackFileOf, type Workplace } from "./workplace.js";

export interface DrainOptions {
  stack?: string;
  /** Let replicas come again. */
  undo?: boolean;
}

/**
 * Writes `drain: true` at a host of the stack file, and tells what the next `pulumi up` then moves. Where something would
 * have no place, the file stays as it is.
 *
 * @throws BerthError `does-not-fit`; `usage` for a host that the file does not have by its own name
 */
export async function drain(workplace: Workplace, host: string, options: DrainOptions): Promise<void> {
  const stack = await chooseStack(workplace, options.stack);
  const { root } = workplace;
  const file = stackFileOf(root, stack);
  const path = join(root, file);
  const before = await readFile(path, "utf8");
  const previous = await readPreviousLock(openLock(workplace, stack).project);
  await writeFile(path, drainText(before, host, options.undo !== true));
  try {
    const { project, edges } = openLock(workplace, stack);
    const owner = `${projectName(root)}/${stack}`;
    const { lock } = await currentLock(project, edges, { owner, frozen: false, write: false, anew: true });
    workplace.print(movesTable(findMoves(previous?.placement.instances ?? {}, lock.placement.instances)));
  } catch (error) {
    await writeFile(path, before);
    throw error;
  }
  workplace.print(
    `${file}: host ${host} ${options.undo === true ? "takes replicas again" : "is drained"}; \`pulumi up\` does it`,
  );
}

/** The text of a stack file with a host drained, or not any more. Everything else stays as it was written. */
export function drainText(text: string, host: string, isDrained: boolean): string {
  const document = parseDocument(text, { version: "1.2" });
  const entry = document.getIn(["hosts", host]);
  if (!isMap(entry)) throw noHost(document, host);
  const edited = isDrained ? addDrain(text, entry) : text;
  if (isDrained) document.setIn(["hosts", host, "drain"], true);
  else document.deleteIn(["hosts", host, "drain"]);
  // Writing a document anew lays out all of it: its indents, its quotes and its empty lines.
  const isSame = isDeepStrictEqual(parseDocument(edited, { version: "1.2" }).toJS(), document.toJS());
  return isSame ? edited : document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

/** The text with one more field of a host, where it has no such field yet and others. */
function addDrain(text: string, { flow = false, items }: YAMLMap): string {
  const last = items.at(-1);
  const [key, value] = [items[0]?.key, last?.value];
  if (!isNode(key) || !isNode(value) || items.some((each) => String(each.key) === "drain")) return text;
  const start = key.range?.[0] ?? 0;
  const end = value.range?.[1] ?? 0;
  if (flow) return `${text.slice(0, end)}, drain: true${text.slice(end)}`;
  const indent = " ".repeat(start - text.lastIndexOf("\n", start - 1) - 1);
  return `${text.slice(0, start)}drain: true\n${indent}${text.slice(start)}`;
}

function noHost(document: Document, host: string): BerthError {
  const hosts = document.get("hosts");
  const names = isMap(hosts) ? hosts.items.map(({ key }) => String(key)) : [];
  return new BerthError("usage", {
    what: "the stack file has no host of this name alone",
    got: host,
    expected: names.join(" or "),
    hint: "a host of a range is taken out of it first, with an entry of its own",
  });
}
