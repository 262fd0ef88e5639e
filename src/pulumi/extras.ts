import type * as pulumi from "@pulumi/pulumi";

import type { DesiredExtras } from "../planner/desired-commands.js";
import { createSetup, createVerification, setupSecrets, verificationSecrets } from "./commands.js";
import { createDockerObjects } from "./docker-objects.js";
import { loadExtraPackages } from "./extra-packages.js";
import type { Host, Instance } from "./resources.js";

type Named = Readonly<Record<string, string>>;

export interface ExtrasEdges {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The project's folder. */
  readonly root: string;
  /** Values of secrets, from variable to the secret's name. */
  readonly findSecrets: (named: Named) => Promise<pulumi.Output<Record<string, string>>>;
  readonly parent: pulumi.Resource;
}

/** What a stack declares beside Berth's own resources, as far as it is made already. */
export interface Extras {
  /** What a host waits for. */
  before(host: string): pulumi.Resource[];
  /** Makes what stands on hosts. Gives the networks, by Docker's names. */
  onHosts(hosts: ReadonlyMap<string, Host>): ReadonlyMap<string, pulumi.Resource>;
  /** Makes what checks an instance, and gives it. */
  onInstance(name: string, instance: Instance): pulumi.Resource[];
}

/** Makes the commands that prepare hosts, and gives what makes the rest once hosts and instances are there. */
export async function declareExtras(extras: DesiredExtras, edges: ExtrasEdges): Promise<Extras> {
  const { environment, root, parent, findSecrets } = edges;
  const { command, docker } = await loadExtraPackages(extras, environment);
  const setups = new Map<string, pulumi.Resource[]>();
  const verifications = await Promise.all(
    extras.verifications.map(async (desired) => {
      const named = verificationSecrets(desired);
      return { desired, secrets: await secretVariables(named, findSecrets) };
    }),
  );
  for (const desired of extras.setups) {
    const secrets = await secretVariables(setupSecrets(desired), findSecrets);
    const before = setups.get(desired.host.name) ?? [];
    setups.set(desired.host.name, before);
    // One after the other: package managers, for one, do not run beside each other.
    const dependsOn = [...before];
    if (command !== undefined) before.push(createSetup(desired, secrets, { ...command, parent, dependsOn }));
  }
  return {
    before: (host) => setups.get(host) ?? [],
    onHosts: (hosts) => {
      const made = extras.dockers.flatMap((desired) => {
        const host = hosts.get(desired.host.name);
        if (docker === undefined || host === undefined) return [];
        return [...createDockerObjects(desired, { ...docker, dependsOn: [host], projectRoot: root, parent })];
      });
      return new Map(made);
    },
    onInstance: (name, instance) =>
      verifications.flatMap(({ desired, secrets }) => {
        if (command === undefined || desired.instance !== name) return [];
        return [createVerification(desired, instance, secrets, { ...command, parent })];
      }),
  };
}

async function secretVariables(
  named: Named,
  findSecrets: ExtrasEdges["findSecrets"],
): Promise<Record<string, pulumi.Output<string>>> {
  const variables = Object.keys(named).sort();
  if (variables.length === 0) return {};
  const found = await findSecrets(named);
  return Object.fromEntries(variables.map((variable) => [variable, found.apply((values) => values[variable] ?? "")]));
}
