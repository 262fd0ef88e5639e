/** What instances have on other hosts, as Pulumi's resources. */
import type * as pulumi from "@pulumi/pulumi";

import type { DesiredSubordinate } from "../planner/desired-subordinates.js";
import { createSubordinate } from "./desired-resources.js";
import type { BackendVersion, Host, Subordinate } from "./resources.js";

/** What subordinates stand on, by name. */
export interface Standing {
  readonly host: (name: string) => Host;
  readonly backendVersion: (name: string) => BackendVersion;
}

/**
 * Those of an instance, in the order in which it names them.
 *
 * @param after what has to be verified before they change
 */
export function createSubordinates(
  desired: readonly DesiredSubordinate[],
  instance: string,
  { host, backendVersion }: Standing,
  after: readonly pulumi.Resource[],
): Subordinate[] {
  return desired
    .filter((each) => each.instance === instance)
    .map((each) => createSubordinate(each, host(each.host.name), backendVersion(each.backendVersion), after));
}
