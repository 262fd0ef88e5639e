/** What an environment forbids. Pure. */
import { BerthError } from "../lib/errors.js";
import { isLoopback } from "../planner/exposure.js";
import type { EnvironmentRule } from "../schema/environments.js";
import type { LockedDeployment, LockFile } from "../schema/lock.js";
import type { Environment } from "./environment.js";

type FindBreach = (lock: LockFile) => string[];

const breaches: Readonly<Record<EnvironmentRule, FindBreach>> = {
  pinnedArtifacts: ({ release }) =>
    sentences(release, ({ install }) =>
      install.method === "manual" && install.sha256 === undefined
        ? ["its executable is whatever lies on the host: give its `sha256`"]
        : [],
    ),
  keyedAddresses: ({ release, placement }) =>
    Object.entries(placement.instances).flatMap(([name, { deployment, bindAddress, secretEnv }]) => {
      const variable = release[deployment]?.apiKeyVariable;
      const hasKey = variable !== undefined && variable in secretEnv;
      return hasKey || isLoopback(bindAddress)
        ? []
        : [`${name} serves on ${bindAddress} without a key: give \`apiKey\``];
    }),
  plainContainers: ({ release }) =>
    sentences(release, ({ container = {} }) => [
      ...(container.privileged === undefined ? [] : ["its container is privileged"]),
      ...(container.ipc === "host" ? ["its container has the host's shared memory"] : []),
      ...(container.capAdd === undefined ? [] : [`its container has ${container.capAdd.join(", ")}`]),
    ]),
};

function sentences(release: LockFile["release"], find: (deployment: LockedDeployment) => readonly string[]): string[] {
  return Object.entries(release).flatMap(([name, deployment]) =>
    find(deployment).map((sentence) => `deployment ${name}: ${sentence}`),
  );
}

/** @throws BerthError `rule-broken` with all that breaks a rule of the environment */
export function assertRules(environment: Environment | undefined, lock: LockFile): void {
  const broken = (environment?.entry.rules ?? []).flatMap((rule) =>
    breaches[rule](lock).map((sentence) => `${rule}: ${sentence}`),
  );
  if (environment === undefined || broken.length === 0) return;
  throw new BerthError("rule-broken", {
    where: "stacks/environments.yaml",
    what: `the environment ${environment.name} does not allow what it would have`,
    hint: "change the stack file, or the rules of the environment",
    detail: broken.join("\n"),
  });
}
