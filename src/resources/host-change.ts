import { canonicalJson } from "../lib/canonical.js";
import type { HostReference } from "../host/host.js";
import type { FieldChange, FieldRule } from "./kind.js";

/**
 * What it means that the host of a resource is another one: nothing on it changes when only the way there does, such
 * as its address or the user's ssh configuration.
 */
export function hostChange(otherwise: FieldChange): FieldRule<HostReference> {
  return {
    change: (before, after) => (samePlace(before, after) ? "update" : otherwise),
    reason: "another host, data directory or way to it",
  };
}

function samePlace(before: HostReference, after: HostReference): boolean {
  return canonicalJson(placeOf(before)) === canonicalJson(placeOf(after));
}

function placeOf({ name, connection, dataDir, binDir = "" }: HostReference) {
  return { name, connection, dataDir, binDir };
}
