import {
  access,
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

/** By hand: takes what is verified in one environment into the lock of the next, as a pull request. */
export function promoteWorkflow(stacks: readonly CiStack[]): string {
  const choice = `type: choice\nrequired: true\noptions: [${stacks.map(({ name }) => name).join(", ")}]`;
  return `${head}
name: berth promote
on:
  workflow_dispatch:
    inputs:
      from:
        description: The environment where it is verified
        ${indent(choice, 8)}
      to:
        description: The environment that gets it
        ${indent(choice, 8)}
      only:
        description: One deployment alone
        type: string
permissions:
  contents: read
defaults:
  run:
    shell: bash
jobs:
  promote:
    ${runsOn}
    ${indent(oneAtATime("promote"), 4)}
    permissions:
      contents: write
      pull-requests: write
    env:
      FROM: ${expression("inputs.from")}
      TO: ${expression("inputs.to")}
      ONLY: ${expression("inputs.only")}
      BRANCH: berth/promote-${expression("inputs.from")}-${expression("inputs.to")}-${expression("github.run_id")}-${expression("github.run_attempt")}
      ${stateAddress}
    steps:
      ${indent(checkout(), 6)}
      ${indent(tools, 6)}
      ${indent(access, 6)}
${promoteStep}${requestSteps}`;
}

/** Exit codes tell a refusal from a failure. */
const promoteStep = `      - env:
          ${indent(stateSecrets, 10)}
          # The record tells who, and environments may say who may: as git's configuration.
          GIT_CONFIG_COUNT: "2"
          GIT_CONFIG_KEY_0: user.name
          GIT_CONFIG_VALUE_0: ${expression("github.actor")}
          GIT_CONFIG_KEY_1: user.email
          GIT_CONFIG_VALUE_1: ${expression("github.actor_id")}+${expression("github.actor")}@users.noreply.github.com
        run: |
          only=()
          if [ -n "$ONLY" ]; then only=(--only "$ONLY"); fi
          code=0
          berth promote "$FROM" "$TO" "\${only[@]}" | tee "$RUNNER_TEMP/promotion.txt" || code=$?
          case $code in
            0) ;;
            3) echo "::error::a gate refuses it" ;;
            4) echo "::error::it cannot be in $TO: its hosts, its rules or what it pins do not allow it" ;;
            5) echo "::error::somebody else wrote the lock of $TO meanwhile" ;;
            *) echo "::error::berth promote failed with exit code $code" ;;
          esac
          exit "$code"
`;

const requestScript = `const { readFileSync } = require("node:fs");
const { FROM: from, TO: to, ONLY: only, BRANCH: head, RUNNER_TEMP: folder } = process.env;
const text = readFileSync(\`\${folder}/promotion.txt\`, "utf8").slice(0, 60000);
const fence = "\`".repeat(Math.max(3, ...[...text.matchAll(/\`+/g)].map(([run]) => run.length + 1)));
const title = \`Promote \${only || "all"} from \${from} to \${to}\`;
const body = \`\${fence}\\n\${text}\\n\${fence}\\nMerging it changes \${to} with the next run of "berth up".\`;
const base = context.ref.replace("refs/heads/", "");
const { data } = await github.rest.pulls.create({ ...context.repo, title, head, base, body });
core.notice(data.html_url);`;

/** Lock and record on a branch of their own. */
const requestSteps = `      - id: commit
        env:
          # Pull requests of the workflow's own token start no workflows.
          TOKEN: ${expression("secrets.BERTH_PROMOTE_TOKEN || github.token")}
          ACTOR: ${expression("github.actor")}
          ACTOR_ID: ${expression("github.actor_id")}
        run: |
          for folder in stacks promotions; do
            if [ -d "$folder" ]; then git add --all -- "$folder"; fi
          done
          if git diff --cached --quiet; then echo "::notice::$TO has it already"; exit 0; fi
          export GIT_AUTHOR_NAME=$ACTOR GIT_AUTHOR_EMAIL="$ACTOR_ID+$ACTOR@users.noreply.github.com"
          export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
          git commit --quiet --message "Promote \${ONLY:-all of} $FROM to $TO"
          # The token goes by the environment: no list of processes shows it.
          git -c credential.helper='!f() { echo username=x-access-token; echo "password=$TOKEN"; }; f' \\
            push --quiet origin "HEAD:refs/heads/$BRANCH"
          echo "pushed=true" >>"$GITHUB_OUTPUT"
      - if: steps.commit.outputs.pushed
        ${uses("actions/github-script")}
        with:
          github-token: ${expression("secrets.BERTH_PROMOTE_TOKEN || github.token")}
          script: |
            ${indent(requestScript, 12)}
`;
