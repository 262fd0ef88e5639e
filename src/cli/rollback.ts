import { randomBytes } from "node:crypto";

import { systemClock } from "../lib/clock.js";
import { BerthError } from "../lib/errors.js";
import { readPromotions } from "../lock/promotion-file.js";
import { tellHistory } from "../lock/promotion-history.js";
import { compareLocks } from "../lock/release-difference.js";
import { rollbackTarget } from "../lock/rollback.js";
import type { LockFile } from "../schema/lock.js";
import { openContexts } from "./contexts.js";
import { gatherEvidence } from "./evidence.js";
import { tellEnvironment } from "./promote.js";
import { findLock, solveTarget, withExitCode, writeMove } from "./promotion-target.js";
import { formatComparison } from "./promotion-text.js";
import { readState } from "./state.js";
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
    const before = await findLock(workplace, environment);
    const { lock: present } = before;
    if (present === undefined) throw noLock(before.shownPath, environment);
    const history = tellHistory(environment, await readPromotions(workplace.root), present);
    const { promotable, changes, unproven } = rollbackTarget({ history, to: options.to });
    for (const name of unproven) workplace.note(`warning: nobody knows that this bundle of ${name} was healthy here`);
    // Something is wrong in production: what does not depend on each other is not waited for.
    const [{ lock, warnings }, live] = await Promise.all([
      solveTarget(workplace, environment, promotable),
      lookAtLive(workplace, environment, present, signal),
    ]);
    for (const warning of warnings) workplace.note(`warning: ${warning}`);
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

async function lookAtLive(workplace: Workplace, environment: string, lock: LockFile, signal: AbortSignal) {
  const pulumi = await openPulumi(workplace);
  const state = await readState(pulumi, environment);
  const { deployments } = await gatherEvidence(
    { environment, lock, root: workplace.root, owner: `${pulumi.project}/${environment}`, state, gates: {} },
    {
      contexts: openContexts(workplace, signal),
      clock: systemClock,
      signal,
      salt: randomBytes(6).toString("hex"),
      note: (text) => workplace.note(text),
    },
  );
  return deployments;
}

function noLock(where: string, environment: string): BerthError {
  return new BerthError("no-earlier-bundle", {
    where,
    what: `${environment} has no lock, so there is nothing to roll back`,
    hint: "promote what should be there from the environment before it",
  });
}
