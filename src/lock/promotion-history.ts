/** What an environment had, by the records of its promotions and rollbacks. Pure. */
import { digest } from "../lib/canonical.js";
import { lookUp } from "../lib/record.js";
import type { LockedDeployment, LockedPreload, Promotable } from "../schema/lock.js";
import type { MovedBundle, MovedPreload, PromotionRecord } from "../schema/promotion.js";
import { promotableDigest } from "./promotion.js";
import { chainOf } from "./promotion-chain.js";
import { compareRecords } from "./promotion-record.js";

/** What a deployment had for a while, or something that lies ready. */
export interface Layer<Content> {
  /** Its id; null while it was not there. */
  readonly bundle: string | null;
  readonly release: Content | undefined;
  /** The promotion that brought it; undefined for what no record tells of. */
  readonly promotion: PromotionRecord | undefined;
  /** Whether it was applied and healthy in the environment at any time; undefined where nobody has told. */
  readonly wasApplied: boolean | undefined;
}

export type Layers<Content> = ReadonlyMap<string, readonly Layer<Content>[]>;

export interface HistoryEntry {
  readonly record: PromotionRecord;
  /** False when the lock does not come from it: its command was killed before it wrote one, or that lock was given up. */
  readonly tookEffect: boolean;
  /** The deployments, and what lies ready, that have now what this record gave them. */
  readonly current: { readonly release: readonly string[]; readonly preload: readonly string[] };
}

export interface History {
  readonly environment: string;
  /** Newest first. */
  readonly entries: readonly HistoryEntry[];
  /** What is promotable in the lock now; undefined when there is none. */
  readonly now: Promotable | undefined;
  /** By deployment what it had and was not rolled back from, the oldest first; the last is what it has. */
  readonly release: Layers<LockedDeployment>;
  /** The same of what lies ready. */
  readonly preload: Layers<LockedPreload>;
}

/**
 * The history of an environment; records of others are left out. A record took effect when the lock came to be what it is
 * by it. A lock that was changed without a record is told by layers without a promotion.
 *
 * @param records of all environments, in any order
 */
export function tellHistory(
  environment: string,
  records: readonly PromotionRecord[],
  now: Promotable | undefined,
): History {
  const own = records.filter(({ to }) => to === environment).sort(compareRecords);
  const effective = chainOf(own, now === undefined ? undefined : promotableDigest(now));
  const release = layersOf(
    effective,
    ({ bundles }) => bundles,
    bundlesOf(now?.release ?? {}, ({ id }) => id),
    healthOf(own),
  );
  const preload = layersOf(
    effective,
    (record) => record.preload ?? {},
    bundlesOf(now?.preload ?? {}, (each) => digest(each)),
  );
  const entries = inOrder(own, effective).map(({ record, tookEffect }) => {
    const later = effective.slice(effective.indexOf(record) + 1);
    const current = {
      release: currentOf(
        record.bundles,
        later.map(({ bundles }) => bundles),
        release,
      ),
      preload: currentOf(
        record.preload ?? {},
        later.map((other) => other.preload ?? {}),
        preload,
      ),
    };
    return { record, tookEffect, current: tookEffect ? current : { release: [], preload: [] } };
  });
  return { environment, entries: entries.reverse(), now, release, preload };
}

/** By time; those that took effect as they came one after the other, whatever their times are. */
function inOrder(
  records: readonly PromotionRecord[],
  effective: readonly PromotionRecord[],
): Pick<HistoryEntry, "record" | "tookEffect">[] {
  const known = new Set(effective);
  const next = effective.values();
  return records.map((record) =>
    known.has(record) ? { record: next.next().value ?? record, tookEffect: true } : { record, tookEffect: false },
  );
}

/** A deployment's present layer. */
export function topOf<Content>(layers: readonly Layer<Content>[]): Layer<Content> {
  return layers.at(-1) ?? { bundle: null, release: undefined, promotion: undefined, wasApplied: undefined };
}

interface Moved<Content> {
  readonly bundle: string | null;
  readonly previous: string | null;
  readonly release?: Content | undefined;
  readonly previousRelease?: Content | undefined;
}

interface Bundle<Content> {
  readonly bundle: string;
  readonly release: Content;
}

function bundlesOf<Content>(
  part: Readonly<Record<string, Content>>,
  idOf: (release: Content) => string,
): ReadonlyMap<string, Bundle<Content>> {
  return new Map(Object.entries(part).map(([name, release]) => [name, { bundle: idOf(release), release }]));
}

/** By deployment, whether a bundle was ever applied and healthy: the records tell of those that were replaced. */
type Health = ReadonlyMap<string, ReadonlyMap<string, boolean>>;

/** Of all records: a promotion that took no effect has looked all the same. */
function healthOf(records: readonly PromotionRecord[]): Health {
  const health = new Map<string, Map<string, boolean>>();
  for (const { bundles } of records) {
    for (const [name, { previous, previousApplied }] of Object.entries(bundles)) {
      if (previous === null) continue;
      const known = health.get(name) ?? new Map<string, boolean>();
      health.set(name, known.set(previous, previousApplied || known.get(previous) === true));
    }
  }
  return health;
}

function layersOf<Content>(
  records: readonly PromotionRecord[],
  movesOf: (record: PromotionRecord) => Readonly<Record<string, Moved<Content>>>,
  now: ReadonlyMap<string, Bundle<Content>>,
  health: Health = new Map(),
): Layers<Content> {
  const layers = new Map<string, readonly BareLayer<Content>[]>();
  for (const record of records) {
    for (const [name, move] of Object.entries(movesOf(record))) {
      layers.set(name, replay(layers.get(name) ?? [], move, record));
    }
  }
  for (const name of new Set([...layers.keys(), ...now.keys()])) {
    const { bundle = null, release } = now.get(name) ?? {};
    layers.set(name, withBundle(layers.get(name) ?? [], bundle, release));
  }
  const wasApplied = (name: string, bundle: string | null) =>
    bundle === null ? undefined : health.get(name)?.get(bundle);
  return new Map(
    [...layers].map(([name, each]) => [
      name,
      each.map((layer) => ({ ...layer, wasApplied: wasApplied(name, layer.bundle) })),
    ]),
  );
}

type BareLayer<Content> = Omit<Layer<Content>, "wasApplied">;

/** The layers of a deployment after one more record. */
function replay<Content>(
  layers: readonly BareLayer<Content>[],
  move: Moved<Content>,
  record: PromotionRecord,
): readonly BareLayer<Content>[] {
  const { bundle, release } = move;
  const before = withBundle(layers, move.previous, move.previousRelease);
  if (record.kind === "rollback") {
    const below = before.slice(0, -1);
    const index = below.findLastIndex((layer) => layer.bundle === bundle);
    return withBundle(below.slice(0, index < 0 ? undefined : index + 1), bundle, release);
  }
  return [...before, { bundle, release, promotion: record }];
}

/** With what is known to be there on top, by whatever way it came. */
function withBundle<Content>(
  layers: readonly BareLayer<Content>[],
  bundle: string | null,
  release: Content | undefined,
): readonly BareLayer<Content>[] {
  return layers.at(-1)?.bundle === bundle ? layers : [...layers, { bundle, release, promotion: undefined }];
}

/** The names that no later record changes, and that have now what the record gave them. */
function currentOf<Content>(
  moves: Readonly<Record<string, MovedBundle | MovedPreload>>,
  later: readonly Readonly<Record<string, unknown>>[],
  layers: Layers<Content>,
): string[] {
  return Object.entries(moves)
    .filter(([name]) => later.every((other) => lookUp(other, name) === undefined))
    .filter(([name, { bundle }]) => topOf(layers.get(name) ?? []).bundle === bundle)
    .map(([name]) => name);
}
