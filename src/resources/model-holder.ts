/** Which processes of an instance hold its model. */
import { headFolder, type GroupInputs } from "./instance-runner.js";
import type { Context } from "./kind.js";
import { readSubordinate } from "./subordinate-record.js";

/**
 * The process whose family holds the model on the instance's own host: the runner, or the head of its Ray cluster, which
 * starts the workers.
 *
 * @param runner process id of the runner
 */
export async function findModelHolder({ host }: Context, inputs: GroupInputs, runner: number): Promise<number> {
  const folder = headFolder(inputs);
  const head = folder === undefined ? undefined : await readSubordinate(host, folder);
  return head?.pids[0] ?? runner;
}

/** How many hosts of one kind hold it together. */
export function countHolders({ subordinates = [] }: Pick<GroupInputs, "subordinates">): number {
  return 1 + subordinates.filter(({ ray }) => ray === "member").length;
}
