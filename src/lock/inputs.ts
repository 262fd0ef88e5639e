/** What a lock depends on: it is stale when that changes. Pure. */
import { usableBackends } from "../catalog/backend-choice.js";
import type { Catalogue } from "../catalog/catalogue.js";
import { namedFiles } from "../catalog/named-file.js";
import { digest, type Json } from "../lib/canonical.js";
import { lookUp } from "../lib/record.js";
import type { BackendVersionEntry } from "../schema/backend.js";
import type { LockFile, Promotable } from "../schema/lock.js";
import type { StackFile } from "../schema/stack.js";

export interface LockInputs {
  readonly stack: StackFile;
  /** What the stack file says, without defaults. */
  readonly written: Json;
  readonly catalogue: Catalogue;
  /** What another environment has settled. */
  readonly promoted?: Promotable | undefined;
}

/** Digests of all that a lock depends on. Only the backends that the stack can use count, with the files they name. */
export function lockInputs({ stack, written, catalogue, promoted }: LockInputs): LockFile["inputs"] {
  // Releases that were promoted have all that they take of backends.
  if (promoted !== undefined) return { stack: digest(written), backends: digest([]) };
  const backends = [...new Set(usableBackends(stack))].sort().map((name) => {
    const versions = Object.values(lookUp(catalogue.backends, name)?.versions ?? {});
    const beside = versions.flatMap((version) => namedFiles(version).map(({ file }) => file));
    const files = Object.entries(catalogue.files).filter(
      ([file]) => file.startsWith(`${name}/`) || beside.includes(file),
    );
    const runners = runnersOf(catalogue, versions);
    return { backend: lookUp(catalogue.written, name), files: Object.fromEntries(files), ...runners };
  });
  return { stack: digest(written), backends: digest(backends) };
}

/** The runner images of the services that versions are had of, and the hosts they are for; nothing where there are none. */
function runnersOf(
  { runners }: Catalogue,
  versions: readonly BackendVersionEntry[],
): { runners?: Readonly<Record<string, Json>> } {
  const services = new Set(versions.flatMap(({ install }) => install.runnerImage?.service ?? []));
  if (services.size === 0 || runners === undefined) return {};
  const kinds = Object.entries(runners.files).flatMap(([type, { hostRuntime, variants = null }]) => {
    const images = runners.images.filter((each) => each.acceleratorType === type && services.has(each.service));
    const told = images.map((each) => ({ ...each }));
    return images.length === 0 ? [] : [[type, { hostRuntime, variants, images: told }] as const];
  });
  return { runners: Object.fromEntries(kinds) };
}
