import {
  access,
  checkout,
  expression,
  head,
  indent,
  runsOn,
  stateAddress,
  stateSecrets,
  tools,
  uses,
  type CiStack,
} from "./steps.js";

/** Any change of these is one of every stack. */
const shared =
  "^(backends/|stacks/(files|requirements)/|stacks/environments\\.yaml$|Pulumi\\.yaml$|package(-lock)?\\.json$|.*\\.[cm]?[jt]s$)";

/** For a pull request: locks that do not hold, and what an `up` of the stacks that it changes would do. */
export function planWorkflow(stacks: readonly CiStack[]): string {
  return `${head}
name: berth plan
on: pull_request
permissions:
  contents: read
defaults:
  run:
    shell: bash
jobs:
${locksJob(stacks)}
${planJob}`;
}

function locksJob(stacks: readonly CiStack[]): string {
  return `  locks:
    runs-on: ubuntu-latest
    outputs:
      stacks: ${expression("steps.changed.outputs.stacks")}
    steps:
      # With the commit before the merge, to tell what the pull request changes.
      ${indent(checkout(["fetch-depth: 2"]), 6)}
      ${indent(tools, 6)}
      - id: changed
        run: |
          changed=$(git diff --name-only HEAD^1 HEAD)
          shared=$(grep -E '${shared}' <<<"$changed" || true)
          chosen=
          choose() {
            if [ -n "$shared" ] || printf '%s\\n' "\${@:2}" | grep -qxF -f - <(echo "$changed"); then
              chosen="$chosen\${chosen:+,}\\"$1\\""
            fi
          }
${stacks.map(({ name, files }) => `          choose ${[name, ...files].join(" ")}`).join("\n")}
          echo "stacks=[$chosen]" >>"$GITHUB_OUTPUT"
      # Neither hosts nor secrets are needed for that.
      - run: |
          check() {
            if [ -e "$2" ]; then berth lock --check "$1"; else echo "::notice::stack $1 has no lock yet"; fi
          }
${stacks.map(({ name, lock }) => `          check ${name} ${lock}`).join("\n")}
`;
}

/** One comment for each stack, written anew with each plan. */
const commentScript = `const { readFileSync } = require("node:fs");
const stack = process.env.STACK;
const text = readFileSync("plan.txt", "utf8").slice(0, 60000);
const fence = "\`".repeat(Math.max(3, ...[...text.matchAll(/\`+/g)].map(([run]) => run.length + 1)));
const mark = \`<!-- berth plan \${stack} -->\`;
const head = context.payload.pull_request.head.sha.slice(0, 7);
const address = \`\${context.serverUrl}/\${context.repo.owner}/\${context.repo.repo}/actions/runs/\${context.runId}\`;
const body = \`\${mark}\\n### berth plan \${stack}, commit \${head}\\n\\n\${fence}\\n\${text}\\n\${fence}\\n[the page and the run](\${address})\`;
const issue = { ...context.repo, issue_number: context.issue.number };
const comments = await github.paginate(github.rest.issues.listComments, issue);
const own = comments.find((comment) => comment.user.type === "Bot" && comment.body.startsWith(mark));
if (own === undefined) await github.rest.issues.createComment({ ...issue, body });
else await github.rest.issues.updateComment({ ...context.repo, comment_id: own.id, body });`;

const planJob = `  plan:
    needs: locks
    # Those of forks get no secrets.
    if: needs.locks.outputs.stacks != '[]' && github.event.pull_request.head.repo.full_name == github.repository
    strategy:
      fail-fast: false
      matrix:
        stack: ${expression("fromJSON(needs.locks.outputs.stacks)")}
    ${runsOn}
    concurrency:
      group: berth-plan-${expression("matrix.stack")}-${expression("github.event.number")}
      cancel-in-progress: true
    permissions:
      contents: read
      pull-requests: write
    env:
      STACK: ${expression("matrix.stack")}
      ${stateAddress}
    steps:
      ${indent(checkout(), 6)}
      ${indent(tools, 6)}
      ${indent(access, 6)}
      # Exit code 2 says that changes are pending.
      - env:
          ${indent(stateSecrets, 10)}
        run: |
          berth plan "$STACK" >plan.txt || [ $? -eq 2 ]
          berth plan "$STACK" --format html >plan.html || [ $? -eq 2 ]
      - ${uses("actions/upload-artifact")}
        with:
          name: berth-plan-${expression("matrix.stack")}
          path: |
            plan.txt
            plan.html
      - ${uses("actions/github-script")}
        with:
          script: |
            ${indent(commentScript, 12)}
`;
