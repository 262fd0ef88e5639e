import { BerthError } from "../lib/errors.js";
import { readEnvironments } from "../lock/project.js";
import { readPromotions } from "../lock/promotion-file.js";
import { tellHistory } from "../lock/promotion-history.js";
import { checkPromoter } from "../lock/promotion-order.js";
import { compareLocks } from "../lock/release-difference.js";
import { rollbackTarget } from "../lock/rollback.js";
import { tellMissing } from "./lock.js";
import { tellEnvironment } from "./promote.js";
import { askGit, findLock, solveTarget, withExitCode, writeMove } from "./promotion-target.js";
import { formatComparison } from "./promotion-text.js";
import { lookAtStack } from "./stack-evidence.js";
import { chooseStack, openPulumi, type Workplace } from "./workplace.js";

export interface RollbackOptions {
  /** Id of an earlier bundle, or its beginning. Default: what was there before the last promotion. */
  to?: string;
  /** Do all but write. */
  dryRun?: boolean;
  json?: boolean;
}

/**
 * Gives an environment the bundles that it had before, by its history, and solves their placement. It asks nobody but the
 * hosts: their last versions are kept there. Changes no host.
 *
 * @returns 0, or as a promotion does
 */
export function rollback(
  workplace: Workplace,
  named: string | undefined,
  options: RollbackOptions,
  signal: AbortSignal,
): Promise<number> {
  return withExitCode(workplace, options.json === true, async () => {
    const environment = await chooseStack(workplace, named);
    checkPromoter(readEnvironments(workplace.root), environment, (await askGit(workplace.root)).by?.email);
    const before = await findLock(workplace, environment);
    const { lock: present } = before;
    if (present === undefined) throw noLock(before.shownPath, environment);
    const history = tellHistory(environment, await readPromotions(workplace.root), present);
    const { promotable, changes, unproven } = rollbackTarget({ history, to: options.to });
    for (const name of unproven) workplace.note(`warning: nobody knows that this bundle of ${name} was healthy here`);
    // Something is wrong in production: what does not depend on each other is not waited for.
    const [{ lock, warnings }, { deployments: live }] = await Promise.all([
      solveTarget(workplace, environment, promotable),
      openPulumi(workplace).then((pulumi) =>
        lookAtStack({ workplace, pulumi, signal }, { environment, lock: present, gates: {} }),
      ),
    ]);
    for (const warning of warnings) workplace.note(`warning: ${warning}`);
    await tellMissing(workplace, promotable);
    signal.throwIfAborted();
    const applied = Object.entries(live).filter(([, found]) => found.applied && found.healthy);
    const record =
      options.dryRun === true
        ? undefined
        : await writeMove(workplace, {
            ...{ kind: "rollback", from: environment, to: environment, before, lock, forced: [] },
            applied: new Set(applied.map(([name]) => name)),
          });
    if (options.json === true) {
      const outcome = record === undefined ? "possible" : "rolledBack";
      workplace.print(JSON.stringify({ outcome, environment, changes, record }, undefined, 2));
      return 0;
    }
    const comparison = { from: "history", to: environment, source: promotable, target: present, live, changes };
    const end =
      record === undefined
        ? "nothing was written (--dry-run)"
        : `${before.shownPath} was written, ${record} tells of it. \`pulumi up --stack ${environment}\` executes it`;
    const { environment: differences } = compareLocks(present, lock);
    workplace.print([formatComparison(comparison), ...tellEnvironment(environment, differences), end].join("\n"));
    return 0;
  });
}

function noLock(where: string, environment: string): BerthError {
  return new BerthError("no-earlier-bundle", {
    where,
    what: `${environment} has no lock, so there is nothing to roll back`,
    hint: "promote what should be there from the environment before it",
  });
}
