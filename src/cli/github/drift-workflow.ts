import {
  access,
  bringUp,
  checkout,
  expression,
  head,
  indent,
  oneAtATime,
  runsOn,
  stateAddress,
  stateSecrets,
  tools,
  uses,
  type CiStack,
} from "./steps.js";

/** Once a day: whether hosts are as the locks say. Between two runs nobody looks. */
export function driftWorkflow(stacks: readonly CiStack[]): string {
  const matrix = stacks.map(({ name, lock }) => `- { stack: ${name}, lock: ${lock} }`).join("\n");
  return `${head}
name: berth drift
on:
  schedule:
    - cron: "23 5 * * *"
  workflow_dispatch:
    inputs:
      up:
        description: Mend it too
        type: boolean
        default: false
permissions:
  contents: read
defaults:
  run:
    shell: bash
jobs:
${lookJob(matrix)}
${mendJob(matrix)}`;
}

function lookJob(matrix: string): string {
  return `  look:
    strategy:
      fail-fast: false
      matrix:
        include:
          ${indent(matrix, 10)}
    ${runsOn}
    # Not while an \`up\` is changing the hosts.
    ${indent(oneAtATime(expression("matrix.stack")), 4)}
    permissions:
      contents: read
      issues: write
    env:
      ${indent(environmentOfStack, 6)}
    steps:
      ${indent(checkout(), 6)}
      ${indent(tools, 6)}
      ${indent(access, 6)}
      # Exit code 2 says that an \`up\` would change something.
      - id: plan
        env:
          ${indent(stateSecrets, 10)}
        run: |
          if [ ! -e "$LOCK" ]; then echo "::notice::stack $STACK has no lock yet"; exit 0; fi
          code=0
          berth plan "$STACK" >plan.txt || code=$?
          # A host that does not answer is nothing that a plan would change.
          if ! berth facts --stack "$STACK" >facts.txt 2>&1; then
            cat facts.txt >>plan.txt
            if [ "$code" -eq 0 ]; then code=2; fi
          fi
          cat plan.txt
          case $code in
            0) echo "drift=false" >>"$GITHUB_OUTPUT" ;;
            2) echo "drift=true" >>"$GITHUB_OUTPUT" ;;
            *) exit "$code" ;;
          esac
      - if: steps.plan.outputs.drift
        ${uses("actions/github-script")}
        env:
          DRIFT: ${expression("steps.plan.outputs.drift")}
        with:
          script: |
            ${indent(issueScript, 12)}
`;
}

function mendJob(matrix: string): string {
  return `  mend:
    needs: look
    # On schedule only where the variable says so.
    if: ${expression("!cancelled() && (inputs.up || (github.event_name == 'schedule' && vars.BERTH_DRIFT_UP == 'true'))")}
    strategy:
      fail-fast: false
      matrix:
        include:
          ${indent(matrix, 10)}
    environment: ${expression("matrix.stack")}
    ${indent(oneAtATime(expression("matrix.stack")), 4)}
    ${runsOn}
    env:
      ${indent(environmentOfStack, 6)}
    steps:
      ${indent(checkout(), 6)}
      ${indent(tools, 6)}
      ${indent(access, 6)}
      ${indent(bringUp, 6)}
`;
}

const environmentOfStack = `STACK: ${expression("matrix.stack")}
LOCK: ${expression("matrix.lock")}
BERTH_FROZEN: "1"
${stateAddress}`;

/** One issue for each stack: opened, kept up to date, and closed when all is as the lock says. */
const issueScript = `const { readFileSync } = require("node:fs");
const stack = process.env.STACK;
const title = \`berth: \${stack} is not as its lock says\`;
const text = readFileSync("plan.txt", "utf8").slice(0, 60000);
const fence = "\`".repeat(Math.max(3, ...[...text.matchAll(/\`+/g)].map(([run]) => run.length + 1)));
const address = \`\${context.serverUrl}/\${context.repo.owner}/\${context.repo.repo}/actions/runs/\${context.runId}\`;
const body = \`What an up would change, and hosts that do not answer:\\n\\n\${fence}\\n\${text}\\n\${fence}\\n[the run](\${address})\`;
const open = await github.paginate(github.rest.issues.listForRepo, { ...context.repo, state: "open", labels: "berth-drift" });
const own = open.find((issue) => issue.title === title && issue.pull_request === undefined);
if (process.env.DRIFT === "true") {
  if (own === undefined) await github.rest.issues.create({ ...context.repo, title, body, labels: ["berth-drift"] });
  else await github.rest.issues.update({ ...context.repo, issue_number: own.number, body });
} else if (own !== undefined) {
  const issue = { ...context.repo, issue_number: own.number };
  await github.rest.issues.createComment({ ...issue, body: \`\${stack} is as its lock says: \${address}\` });
  await github.rest.issues.update({ ...issue, state: "closed" });
}`;
