/** What an environment forbids. Pure. */
import { BerthError } from "../lib/errors.js";
import { isLoopback } from "../planner/exposure.js";
import type { EnvironmentRule } from "../schema/environments.js";
import type { LockedDeployment, LockedInstall, LockFile } from "../schema/lock.js";
import type { Environment } from "./environment.js";

type FindBreach = (lock: LockFile) => string[];

const breaches: Readonly<Record<EnvironmentRule, FindBreach>> = {
  pinnedArtifacts: ({ release }) =>
    sentences(release, ({ install }) =>
      install.method === "manual" && install.sha256 === undefined
        ? ["its executable is whatever lies on the host: give its `sha256`"]
        : [],
    ),
  signedArtifacts: ({ release }) => sentences(release, ({ install }) => findUnsigned(install)),
  keyedAddresses: ({ release, placement }) => [
    ...findKeylessGateway(placement.gateway),
    ...findOpenServers(placement.instances),
    ...Object.entries(placement.instances).flatMap(([name, { deployment, bindAddress, secretEnv }]) => {
      const variable = release[deployment]?.apiKeyVariable;
      const hasKey = variable !== undefined && variable in secretEnv;
      return hasKey || isLoopback(bindAddress)
        ? []
        : [`${name} serves on ${bindAddress} without a key: give \`apiKey\``];
    }),
  ],
  plainContainers: ({ release }) =>
    sentences(release, ({ container = {} }) => [
      ...(container.privileged === undefined ? [] : ["its container is privileged"]),
      ...(container.ipc === "host" ? ["its container has the host's shared memory"] : []),
      ...(container.capAdd === undefined ? [] : [`its container has ${container.capAdd.join(", ")}`]),
    ]),
};

function findKeylessGateway(gateway: LockFile["placement"]["gateway"]): string[] {
  if (gateway === undefined || isLoopback(gateway.listen.address) || Object.keys(gateway.keys).length > 0) return [];
  return [`the gateway serves on ${gateway.listen.address} without a key: give \`gateway.keys\``];
}

/** llama.cpp's RPC knows no keys; what stands before a server admits its primary alone. */
function findOpenServers(instances: LockFile["placement"]["instances"]): string[] {
  return Object.entries(instances).flatMap(([name, { subordinates = [] }]) =>
    subordinates
      .filter(({ ray, haproxy }) => ray === undefined && haproxy === undefined)
      .map(({ host }) => `${name} has an RPC server on host ${host} that admits anybody: install HAProxy there`),
  );
}

function findUnsigned(install: LockedInstall): string[] {
  switch (install.method) {
    case "image":
      return install.signature === undefined
        ? [`no signature is asked for of its image ${install.reference}: give \`signature\` in the backend file`]
        : [];
    case "binary":
      return install.artifacts.flatMap(({ signature, url }) =>
        signature === undefined
          ? [`no signature is asked for of its file ${url}: give \`signature\` in the backend file`]
          : [],
      );
    case "pipx":
      return ["its packages have hashes and no signature: install a file or an image that has one"];
    case "manual":
      return ["its executable has no signature: install a file or an image that has one"];
  }
}

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
