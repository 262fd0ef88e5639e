/** What instances have beside their primaries, as Pulumi's resources. */
import type * as pulumi from "@pulumi/pulumi";

import type { DesiredSubordinate } from "../planner/desired-subordinates.js";
import { createSubordinate } from "./desired-resources.js";
import type { BackendVersion, Host, ModelFiles, Subordinate } from "./resources.js";

/** What subordinates stand on, by name. */
export interface Standing {
  readonly host: (name: string) => Host;
  readonly backendVersion: (name: string) => BackendVersion;
  readonly model: (name: string) => ModelFiles;
}

/**
 * Those of an instance, in the order in which it names them.
 *
 * @param after what has to be verified before they change
 */
export function createSubordinates(
  desired: readonly DesiredSubordinate[],
  instance: string,
  { host, backendVersion, model }: Standing,
  after: readonly pulumi.Resource[],
): Subordinate[] {
  const created: Subordinate[] = [];
  for (const each of desired.filter((candidate) => candidate.instance === instance)) {
    // The head of a Ray cluster is the first.
    const head = each.ray?.role === "member" ? created[0] : undefined;
    const needs = {
      ...{ host: host(each.host.name), backendVersion: backendVersion(each.backendVersion), head, after },
      model: each.model === undefined ? undefined : model(each.model),
    };
    created.push(createSubordinate(each, needs));
  }
  return created;
}
