/** Steps that several workflows have, as lines of YAML. Pure. */
import { pulumiVersion } from "../toolchain.js";

/** A stack, with the files of the project that are its own. */
export interface CiStack {
  /** Letters, digits and hyphens, so that it needs no quotes anywhere. */
  readonly name: string;
  readonly lock: string;
  /** Stack file, lock and configuration. */
  readonly files: readonly string[];
}

/** Actions by the commit of a release: a tag may be moved to another one. */
const actions = {
  "actions/checkout": { commit: "3d3c42e5aac5ba805825da76410c181273ba90b1", version: "v7.0.1" },
  "actions/setup-node": { commit: "820762786026740c76f36085b0efc47a31fe5020", version: "v7.0.0" },
  "actions/cache": { commit: "27d5ce7f107fe9357f9df03efb73ab90386fccae", version: "v5.0.5" },
  "actions/upload-artifact": { commit: "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f", version: "v7.0.0" },
  "actions/github-script": { commit: "ed597411d8f924073f98dfc5c65a23a2325f34cd", version: "v8.0.0" },
} as const;

export function uses(action: keyof typeof actions): string {
  const { commit, version } = actions[action];
  return `uses: ${action}@${commit} # ${version}`;
}

/** An expression that GitHub fills in. None stands in a script: what it holds would be read as part of it. */
export function expression(text: string): string {
  return `\${{ ${text} }}`;
}

/** Moves all lines but the first, which stands where the text is put. */
export function indent(text: string, spaces: number): string {
  return text.replaceAll(/\n(?=[^\n])/g, `\n${" ".repeat(spaces)}`);
}

export const head = [
  "# Written by `berth ci init github`. Change it as you like: Berth replaces it only with --force.",
  "# What each workflow does and which secrets it needs: docs/ci.md of Berth.",
].join("\n");

/** Hosts in a network of their own need a runner in it. */
export const runsOn = `runs-on: ${expression("vars.BERTH_RUNNER || 'ubuntu-latest'")}`;

/** One run after another for each stack; of several that wait none is dropped. */
export function oneAtATime(what: string): string {
  return `concurrency:
  group: berth-${what}
  cancel-in-progress: false
  queue: max`;
}

/** Where the state is; no secret. */
export const stateAddress = `PULUMI_BACKEND_URL: ${expression("vars.PULUMI_BACKEND_URL")}`;

/** Secrets stand at the steps that need them: what packages run when they are installed does not see them. */
export const stateSecrets = `PULUMI_ACCESS_TOKEN: ${expression("secrets.PULUMI_ACCESS_TOKEN")}
PULUMI_CONFIG_PASSPHRASE: ${expression("secrets.PULUMI_CONFIG_PASSPHRASE")}`;

export function checkout(more: readonly string[] = []): string {
  return [
    `- ${uses("actions/checkout")}`,
    `  with:`,
    ...["persist-credentials: false", ...more].map((line) => `    ${line}`),
  ].join("\n");
}

/** Node, the project's packages, and `berth` on PATH. */
export const tools = `- ${uses("actions/setup-node")}
  with:
    node-version: 22
    cache: npm
- run: npm ci
- run: echo "$PWD/node_modules/.bin" >>"$GITHUB_PATH"`;

/** What only those need who look at the state and at hosts. */
export const access = `- ${uses("actions/cache")}
  with:
    path: |
      ~/.pulumi/versions/${pulumiVersion}
      ~/.pulumi/plugins
    key: pulumi-${pulumiVersion}-${expression("runner.os")}-${expression("runner.arch")}-${expression("hashFiles('package-lock.json')")}
    restore-keys: pulumi-${pulumiVersion}-${expression("runner.os")}-${expression("runner.arch")}-
- name: the way to the state and to the hosts
  env:
    SSH_KEY: ${expression("secrets.BERTH_SSH_KEY")}
    KNOWN_HOSTS: ${expression("secrets.BERTH_SSH_KNOWN_HOSTS")}
  run: |
    if [ -z "$PULUMI_BACKEND_URL" ]; then
      echo "::error::set the variable PULUMI_BACKEND_URL: a state of its own would go with this runner"
      exit 1
    fi
    if [ -n "$SSH_KEY" ]; then
      eval "$(ssh-agent -s)" >/dev/null
      printf '%s\\n' "$SSH_KEY" | ssh-add -q -
      echo "SSH_AUTH_SOCK=$SSH_AUTH_SOCK" >>"$GITHUB_ENV"
    fi
    if [ -n "$KNOWN_HOSTS" ]; then
      mkdir -p -m 700 ~/.ssh
      printf '%s\\n' "$KNOWN_HOSTS" >>~/.ssh/known_hosts
    fi`;

/** An environment that nothing was promoted to yet has no lock. */
export const bringUp = `- env:
    ${indent(stateSecrets, 4)}
  run: |
    if [ -e "$LOCK" ]; then berth up "$STACK" -- --yes --skip-preview
    else echo "::notice::stack $STACK has no lock yet"; fi`;
