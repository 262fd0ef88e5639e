/** Which of the hosts that fit a deployment come into question: those of one kind. Pure. */
import type { DraftRelease } from "../catalog/release.js";
import { digest } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import type { KnownHost } from "../planner/host-choice.js";
import { kindOf } from "./kind.js";

/** The hosts that come into question; all need the same release, and have accelerators of one type, or use none. */
export interface Chosen {
  readonly hosts: readonly string[];
  /** The release as it is for each kind of them, by the word of {@link kindOf}. */
  readonly kinds: ReadonlyMap<string, DraftRelease>;
  /** Why the others do not come into question, by host. */
  readonly leftOut: Readonly<Record<string, string>>;
}

/**
 * The hosts of one kind: those for which the release and the type of accelerator are the same. Of several kinds the one
 * that has the deployment already, else one whose accelerators the backend uses, else the one with the most hosts.
 */
export function chooseKind(
  fitting: readonly string[],
  hosts: Readonly<Record<string, KnownHost>>,
  draftFor: (host: string) => DraftRelease,
  before: readonly string[],
): Chosen {
  const drafts = new Map<string, DraftRelease | BerthError>();
  for (const host of fitting) {
    const kind = kindOf(host, hosts);
    if (!drafts.has(kind))
      drafts.set(
        kind,
        attempt(() => draftFor(host)),
      );
  }
  const keys = new Map(
    [...drafts].map(([kind, draft]) => [kind, draft instanceof BerthError ? undefined : keyOf(draft)]),
  );
  const groups = new Map<string, { hosts: string[]; kinds: Map<string, DraftRelease> }>();
  for (const host of fitting) {
    const kind = kindOf(host, hosts);
    const [draft, key] = [drafts.get(kind), keys.get(kind)];
    if (draft === undefined || draft instanceof BerthError || key === undefined) continue;
    const group = groups.get(key) ?? { hosts: [], kinds: new Map<string, DraftRelease>() };
    group.hosts.push(host);
    group.kinds.set(kind, draft);
    groups.set(key, group);
  }
  const [best] = [...groups.values()].sort(
    (a, b) => rankOf(b, before) - rankOf(a, before) || b.hosts.length - a.hosts.length || compare(a.hosts, b.hosts),
  );
  if (best === undefined)
    throw [...drafts.values()].find((draft) => draft instanceof BerthError) ?? new Error("no host");
  const own = new Set(best.hosts);
  const others = fitting.filter((host) => !own.has(host));
  const [first] = best.kinds.values();
  const leftOut = others.map((host) => [host, describeLeftOut(drafts.get(kindOf(host, hosts)), first)] as const);
  return { ...best, leftOut: Object.fromEntries(leftOut) };
}

/** What is the same for hosts of one kind. */
function keyOf({ release, install, platform }: DraftRelease): string {
  return digest({ release, install, type: platform.acceleratorType });
}

function rankOf(
  { hosts, kinds }: { readonly hosts: readonly string[]; readonly kinds: ReadonlyMap<string, DraftRelease> },
  before: readonly string[],
): number {
  if (before.some((host) => hosts.includes(host))) return 2;
  return [...kinds.values()].some(({ platform }) => platform.acceleratorType !== "cpu") ? 1 : 0;
}

function compare([one = ""]: readonly string[], [other = ""]: readonly string[]): number {
  return one < other ? -1 : 1;
}

function describeLeftOut(draft: DraftRelease | BerthError | undefined, best: DraftRelease | undefined): string {
  if (draft instanceof BerthError) {
    const { what, detail } = draft.parts;
    return detail === undefined ? what : `${what}: ${detail.replaceAll("\n", "; ")}`;
  }
  const { os, arch, acceleratorType } = draft?.platform ?? {};
  const isAlike = acceleratorType === best?.platform.acceleratorType && os === best?.platform.os;
  if (draft !== undefined && isAlike) return `it would have another release: ${draft.reason}`;
  return `it is of another kind: ${os}/${arch} with ${acceleratorType}`;
}

function attempt(draft: () => DraftRelease): DraftRelease | BerthError {
  try {
    return draft();
  } catch (error) {
    if (error instanceof BerthError && error.code === "host-unsuitable") return error;
    throw error;
  }
}
