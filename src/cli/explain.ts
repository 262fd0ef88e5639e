import { readPreviousLock } from "../lock/current.js";
import { explainPlacement, type DeploymentExplanation, type ExplainedRunnerImage } from "../lock/explain.js";
import { supposeHosts } from "../lock/what-if.js";
import { openLock } from "./lock.js";
import { plainTable } from "./table.js";
import { readWhatIf, type WhatIfOptions } from "./what-if.js";
import { chooseStack, projectName, type Workplace } from "./workplace.js";

export interface ExplainOptions extends WhatIfOptions {
  stack?: string;
  json?: boolean;
}

/** Tells why the replicas of a deployment are where they are, and why not elsewhere. Changes nothing. */
export async function explain(workplace: Workplace, deployment: string, options: ExplainOptions): Promise<void> {
  const stack = await chooseStack(workplace, options.stack);
  const opened = openLock(workplace, stack);
  const previous = await readPreviousLock(opened.project);
  const { project, edges } = supposeHosts(opened, readWhatIf(options));
  const owner = `${projectName(workplace.root)}/${stack}`;
  const made = await explainPlacement({ ...project, owner, previous }, deployment, edges);
  workplace.print(options.json === true ? JSON.stringify(made, undefined, 2) : formatExplanation(made));
}

/** For people. */
export function formatExplanation(explained: DeploymentExplanation): string {
  const { deployment, replicas, note, problem, elsewhere, untried, runnerImage } = explained;
  const alone = note === undefined ? [] : [`it has its devices alone: ${note}`];
  return [
    ...(problem === undefined ? [] : [problem]),
    ...(replicas.length === 0
      ? []
      : [
          plainTable(
            ["REPLICA", "WHERE", "TAKES"],
            replicas.map(({ name, where, takes }) => [name, where, takes]),
          ),
        ]),
    ...alone,
    ...(runnerImage === undefined ? [] : formatRunnerImage(runnerImage)),
    ...(elsewhere.length === 0
      ? [`${deployment} could be on no other host: there is none`]
      : [
          plainTable(
            ["NOT ON", "BECAUSE"],
            elsewhere.map(({ host, why }) => [host, why]),
          ),
        ]),
    ...(untried === 0 ? [] : [`${untried} more hosts come into question and were not tried`]),
  ].join("\n");
}

function formatRunnerImage({ reference, reason, notes, others }: ExplainedRunnerImage): string[] {
  return [
    `its runner image is ${reference}: ${reason}`,
    ...notes.map((note) => `note: ${note}`),
    ...(others.length === 0
      ? []
      : [
          plainTable(
            ["NOT TAKEN", "BECAUSE"],
            others.map(({ tag, why }) => [tag, why]),
          ),
        ]),
  ];
}
