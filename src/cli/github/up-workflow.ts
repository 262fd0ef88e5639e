import {
  access,
  bringUp,
  checkout,
  head,
  indent,
  oneAtATime,
  runsOn,
  stateAddress,
  tools,
  type CiStack,
} from "./steps.js";

/** After a merge: every environment as its committed lock says, one after another. */
export function upWorkflow(stacks: readonly CiStack[]): string {
  const jobs = stacks.map((stack, index) => upJob(stack, stacks[index - 1]));
  return `${head}
name: berth up
on:
  push:
    branches: [main]
  workflow_dispatch:
permissions:
  contents: read
defaults:
  run:
    shell: bash
jobs:
${jobs.join("\n")}`;
}

function upJob({ name, lock }: CiStack, before: CiStack | undefined): string {
  const needs = before === undefined ? "" : `    needs: up-${before.name}\n`;
  return `  up-${name}:
${needs}    # Who may approve it is a rule of the environment.
    environment: ${name}
    ${indent(oneAtATime(name), 4)}
    ${runsOn}
    env:
      STACK: ${name}
      LOCK: ${lock}
      # A lock that does not hold is refused, not solved anew.
      BERTH_FROZEN: "1"
      ${stateAddress}
    steps:
      ${indent(checkout(), 6)}
      ${indent(tools, 6)}
      ${indent(access, 6)}
      ${indent(bringUp, 6)}
`;
}
