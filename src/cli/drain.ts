import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { isMap, parseDocument, type Document } from "yaml";

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
  if (!isMap(document.getIn(["hosts", host]))) throw noHost(document, host);
  if (isDrained) document.setIn(["hosts", host, "drain"], true);
  else document.deleteIn(["hosts", host, "drain"]);
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
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
