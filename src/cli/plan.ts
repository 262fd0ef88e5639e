import { BerthError } from "../lib/errors.js";
import { shown } from "../lib/shown.js";
import { currentLock, readPreviousLock } from "../lock/current.js";
import { lockPath, readLock } from "../lock/lock-file.js";
import { supposeHosts } from "../lock/what-if.js";
import { findMoves } from "../planner/moves.js";
import { isAsked, type WhatIf } from "../planner/what-if.js";
import { readProject } from "../lock/project.js";
import { firstObjects } from "../planner/report/first-objects.js";
import { planReport } from "../planner/report/report.js";
import type { PlanReport } from "../schema/plan.js";
import type { planFormats } from "./arguments.js";
import { lookAtHosts } from "./facts.js";
import { lookAtStores } from "./host-stores.js";
import { openLock, solveLock } from "./lock.js";
import { planHtml } from "./plan-html.js";
import { planText } from "./plan-text.js";
import { previewObjects } from "./preview-objects.js";
import { previewStack } from "./preview.js";
import { movesTable, readWhatIf, type WhatIfOptions } from "./what-if.js";
import { chooseStack, openPulumi, packageRoot, projectName, stackFileOf, type Workplace } from "./workplace.js";

export interface PlanOptions extends WhatIfOptions {
  format: (typeof planFormats)[number];
}

/**
 * Shows all that an `up` would change, and writes nothing: neither the lock nor anything on hosts.
 *
 * @returns 2 when changes are pending, 0 when none are
 */
export async function plan(workplace: Workplace, named: string | undefined, options: PlanOptions): Promise<number> {
  const { format } = options;
  const whatIf = readWhatIf(options);
  if (isAsked(whatIf)) return planSupposed(workplace, named, whatIf, format);
  const report = await makePlan(workplace, named);
  workplace.print(formats[format](report));
  return report.isPending ? 2 : 0;
}

/** Only where replicas would go: Pulumi previews what the stack file says, and not what somebody supposes. */
async function planSupposed(
  workplace: Workplace,
  named: string | undefined,
  whatIf: WhatIf,
  format: PlanOptions["format"],
): Promise<number> {
  if (format === "html")
    throw new BerthError("usage", { what: "a plan of supposed hosts is text or JSON", got: format });
  const stack = await chooseStack(workplace, named);
  const opened = openLock(workplace, stack);
  const before = await readPreviousLock(opened.project);
  const { project, edges } = supposeHosts(opened, whatIf);
  const owner = `${projectName(workplace.root)}/${stack}`;
  const { lock, outcome } = await currentLock(project, edges, { owner, frozen: false, anew: true, write: false });
  const moves = findMoves(before?.placement.instances ?? {}, lock.placement.instances);
  const choices = outcome.kind === "solved" ? outcome.choices : [];
  if (format === "json") workplace.print(JSON.stringify({ stack, supposed: whatIf, moves, choices }, undefined, 2));
  else workplace.print([...choices.map((choice) => `   ${choice}`), movesTable(moves)].join("\n"));
  return moves.length === 0 ? 0 : 2;
}

const formats: Readonly<Record<PlanOptions["format"], (report: PlanReport) => string>> = {
  text: planText,
  html: planHtml,
  json: (report) => JSON.stringify(report, undefined, 2),
};

async function makePlan(workplace: Workplace, named: string | undefined): Promise<PlanReport> {
  const stack = await chooseStack(workplace, named);
  const { root } = workplace;
  const project = readProject(root, stackFileOf(root, stack), packageRoot, { stackName: stack });
  const path = lockPath(project.stackPath);
  const before = await readLock(path, shown(root, path));
  const {
    lock,
    outcome,
    path: shownPath,
  } = await solveLock(workplace, stack, { frozen: false, anew: false, write: false });
  const pulumi = await openPulumi(workplace);
  const [preview, hosts, stores] = await Promise.all([
    previewStack(pulumi, stack),
    lookAtHosts(workplace, Object.entries(project.stack.hosts)),
    lookAtStores(workplace, lock),
  ]);
  const isSolved = outcome.kind === "solved";
  return planReport({
    ...{ stack, lock, lockPath: shownPath, lockBefore: before?.id, isNewLock: isSolved && outcome.changed },
    reason: isSolved ? outcome.reason : undefined,
    choices: isSolved ? outcome.choices : [],
    warnings: isSolved ? outcome.warnings : [],
    objects: preview === undefined ? firstObjects(lock, root) : previewObjects(preview.steps),
    hasState: preview !== undefined,
    ...{ hosts, stores },
    notes: preview?.warnings ?? [],
    projectRoot: root,
  });
}
