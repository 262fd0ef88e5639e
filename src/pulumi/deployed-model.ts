import * as pulumi from "@pulumi/pulumi";

import { BerthError } from "../lib/errors.js";
import type { DesiredInstance } from "../planner/desired.js";
import type { Instance } from "./resources.js";

/** What is known of a deployment once it serves. */
export interface DeployedModel {
  /** Base URL for OpenAI clients, of the first replica. */
  endpoint: string;
  backend: string;
  backendVersion: string;
  /** Digest of the release: equal for equal releases in every environment. */
  release: string;
  /** SHA-256 of what the backend version is installed from; empty for an executable that is taken as it is. */
  artifactSha256: string;
  modelSha256: string;
  /** Of the first replica. */
  host: string;
  /** Of the first replica. */
  devices: string[];
  /** Of the first replica. */
  health: string;
  /** All of them, in the order of their numbers. */
  replicas: DeployedReplica[];
}

export interface DeployedReplica {
  host: string;
  endpoint: string;
  health: string;
  devices: string[];
}

/** An instance that a lock asks for, and its resource. */
export interface CreatedInstance {
  readonly desired: DesiredInstance;
  readonly instance: Instance;
}

/** By deployment, what is known of it and its replicas. */
export function describeDeployments(created: readonly CreatedInstance[]): Record<string, pulumi.Output<DeployedModel>> {
  const deployments = new Map<string, [CreatedInstance, ...CreatedInstance[]]>();
  for (const each of created) {
    const { deployment } = each.desired.placed;
    const before = deployments.get(deployment);
    if (before === undefined) deployments.set(deployment, [each]);
    else before.push(each);
  }
  return Object.fromEntries([...deployments].map(([name, replicas]) => [name, describeDeployment(replicas)]));
}

function describeDeployment(replicas: readonly [CreatedInstance, ...CreatedInstance[]]): pulumi.Output<DeployedModel> {
  const { release, artifactSha256 } = replicas[0].desired;
  return pulumi.all(replicas.map(describeReplica)).apply((described) => ({
    // Of a replica that nobody has made yet, nothing is known.
    endpoint: described[0]?.endpoint ?? "",
    backend: release.backend,
    backendVersion: release.backendVersion,
    release: release.id,
    artifactSha256,
    modelSha256: release.model.sha256,
    host: described[0]?.host ?? "",
    devices: described[0]?.devices ?? [],
    health: described[0]?.health ?? "",
    replicas: described,
  }));
}

function describeReplica({ desired: { placed }, instance }: CreatedInstance): pulumi.Output<DeployedReplica> {
  return pulumi.all([instance.endpoint, instance.health]).apply(([endpoint, health]) => {
    return { host: placed.host, endpoint, health, devices: placed.devices };
  });
}

/**
 * Fails the program when a rollout went on without an instance that failed: what it bears is no success.
 *
 * @param isMeant whether this run is about a host
 */
export function assertAsWanted(
  created: readonly CreatedInstance[],
  isMeant: (host: string) => boolean,
  fail: (error: BerthError) => unknown,
): void {
  const bearing = created.filter(
    ({ desired: { rollout, placed } }) => (rollout?.maxFailures ?? 0) > 0 && isMeant(placed.host),
  );
  if (bearing.length === 0 || pulumi.runtime.isDryRun()) return;
  const told = bearing.map(({ desired, instance }) =>
    pulumi.all([instance.drift, instance.reachable]).apply(([drift, reachable]) => {
      const { name, placed } = desired;
      return reachable ? drift.map((sentence) => `${name} on ${placed.host} ${sentence}`) : [];
    }),
  );
  pulumi.all(told).apply((sentences) => {
    const failed = sentences.flat();
    if (failed.length === 0) return;
    throw fail(
      new BerthError("rollout-stopped", {
        what: "the rollout is through, but not every instance is as wanted",
        hint: "mend that, and run `pulumi up` again: it goes on with them",
        detail: failed.join("\n"),
      }),
    );
  });
}
