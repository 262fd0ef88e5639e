import type { Platform } from "../catalog/selection.js";
import type { KnownHost } from "../planner/host-choice.js";

/** What of a host decides how a backend is installed there. */
export function platformOf(host: KnownHost | undefined): Platform {
  if (host === undefined) throw new Error("a host without facts was chosen");
  const { os, arch, accelerators } = host.facts;
  return { os, arch, acceleratorType: accelerators[0]?.type ?? "cpu" };
}
