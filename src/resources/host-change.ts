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

/** Whoever becomes root meets another systemd, and whoever is it no more cannot change what root has made. */
function placeOf(reference: HostReference) {
  const { name, connection, dataDir, binDir = "" } = reference;
  const sudo = reference.connection === "ssh" ? (reference.ssh.sudo ?? "none") : "none";
  return { name, connection, dataDir, binDir, sudo };
}
