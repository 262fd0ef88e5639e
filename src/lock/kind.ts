/** Hosts of different kinds may need different artifacts of one backend version. Pure. */
import type { DraftRelease } from "../catalog/release.js";
import { outlookOf } from "../catalog/runner-choice.js";
import { digest } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { findUngivable } from "../planner/container-devices.js";
import { knownHost, type KnownHost } from "../planner/host-choice.js";
import type { LockedInstall } from "../schema/lock.js";
import { platformOf } from "./platform.js";

/** A host of each kind, in the order of the hosts. */
export function oneOfEachKind(names: readonly string[], hosts: Readonly<Record<string, KnownHost>>): string[] {
  const first = new Map<string, string>();
  for (const name of names) if (!first.has(kindOf(name, hosts))) first.set(kindOf(name, hosts), name);
  return [...first.values()];
}

/** A word for the kind of a host. Its devices decide which images run: hosts with the same ones are of one kind. */
export function kindOf(name: string, hosts: Readonly<Record<string, KnownHost>>): string {
  const { facts } = knownHost(hosts, name);
  const given = findUngivable(facts) === undefined ? "given to containers" : "given to no container";
  return `${platformOf(hosts[name]).acceleratorType}; ${outlookOf(facts)}; ${given}`;
}

/** A release as it is for one kind of host. */
export interface KindRelease {
  readonly draft: DraftRelease;
  readonly install: LockedInstall;
}

/** @throws BerthError `stack-inconsistent` when the kinds of hosts of a deployment need different releases of it */
export function assertOneRelease(deployment: string, kinds: readonly KindRelease[]): void {
  const digests = new Set(kinds.map(({ draft, install }) => digest({ ...draft.release, install })));
  if (digests.size <= 1) return;
  const ways = kinds.map(({ draft: { release, platform }, install }) => {
    const on = `${platform.os}/${platform.arch} with ${platform.acceleratorType}`;
    return `${on}: ${release.backend} ${release.backendVersion} by ${install.method}`;
  });
  throw new BerthError("stack-inconsistent", {
    where: `deployment ${deployment}`,
    what: "its hosts need different releases of the backend",
    got: ways.join("; "),
    expected: "hosts of one kind for each deployment",
    hint: "choose hosts of one kind by `hostSelector`, and make a deployment for each kind",
  });
}
