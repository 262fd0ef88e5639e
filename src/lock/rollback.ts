/** What an environment goes back to. Pure. */
import { BerthError } from "../lib/errors.js";
import type { LockedDeployment } from "../schema/lock.js";
import type { PromotionRecord } from "../schema/promotion.js";
import { compareBundles, type Move } from "./promotion.js";
import { topOf, type History, type Layer, type Layers } from "./promotion-history.js";

export interface Rollback extends Move {
  /** The promotion that is taken back; undefined when a bundle was named. */
  readonly promotion: PromotionRecord | undefined;
  /** Deployments that go to a bundle of which nobody knows that it was applied and healthy. Only where one was named. */
  readonly unproven: readonly string[];
}

export interface RollbackProblem {
  readonly history: History;
  /** Id of a bundle, or its first 7 digits or more. Without it the latest promotion that holds is taken back. */
  readonly to?: string | undefined;
}

const fewestDigits = 7;
const shownDigits = 12;

/**
 * What is promotable after a rollback. What the latest promotion gave that was not taken back yet goes: each deployment
 * that it changed has again its most recent earlier bundle that was ever applied and healthy, or is away where it was
 * added. Others stay as they are. A bundle that is named goes back where it was earlier, and nothing else changes.
 *
 * @throws BerthError `no-earlier-bundle` when there is nothing to go back to, `usage` for a bundle that is not there or
 *   not the only one
 */
export function rollbackTarget({ history, to }: RollbackProblem): Rollback {
  return to === undefined ? takeBack(history) : goTo(history, to);
}

function takeBack(history: History): Rollback {
  const { environment, now } = history;
  const tops = [...history.release.values(), ...history.preload.values()].map((layers) => topOf<unknown>(layers));
  const promotions = new Set(tops.map(({ promotion }) => promotion));
  const latest = history.entries.find(({ record }) => promotions.has(record))?.record;
  if (now === undefined || latest === undefined)
    throw nothingBefore(environment, "nothing that the lock has came by a promotion");
  if (latest.releaseBefore === undefined)
    throw nothingBefore(environment, `its promotion of ${latest.at} was the first, and there was no lock before it`);
  const changed = <Content>(layers: Layers<Content>) =>
    [...layers].filter(([, each]) => topOf(each).promotion === latest);
  const bundles = changed(history.release).map(([name, layers]) => ({ name, target: lastStable(layers) }));
  const stuck = bundles.flatMap(({ name, target }) => (target === undefined ? [name] : []));
  if (stuck.length > 0) throw neverApplied(history, stuck);
  const ready = changed(history.preload).map(([name, layers]) => ({ name, target: layers.at(-2) }));
  const after = {
    release: put(now.release, bundles),
    preload: put(now.preload ?? {}, ready),
  };
  return { ...compareBundles(now, after), promotion: latest, unproven: [] };
}

/** What a deployment goes back to: nothing only where there was nothing right before what it has. */
function lastStable(layers: readonly Layer<LockedDeployment>[]): Layer<LockedDeployment> | undefined {
  const { bundle: present } = topOf(layers);
  const before = layers.at(-2);
  if (before?.bundle === null) return before;
  return layers.slice(0, -1).findLast(({ bundle, wasApplied }) => wasApplied === true && bundle !== present);
}

interface Choice {
  readonly name: string;
  readonly layer: Layer<LockedDeployment>;
}

function goTo(history: History, to: string): Rollback {
  const { environment, now } = history;
  const choices = earlierBundles(history);
  if (now === undefined || choices.length === 0)
    throw nothingBefore(environment, "no deployment had another bundle before the one that it has");
  const prefix = to.toLowerCase();
  const isId = /^[0-9a-f]{1,64}$/.test(prefix) && prefix.length >= fewestDigits;
  const chosen = isId ? choices.filter(({ layer }) => layer.bundle?.startsWith(prefix) === true) : [];
  const ids = new Set(chosen.map(({ layer }) => layer.bundle));
  if (ids.size !== 1) {
    throw new BerthError("usage", {
      where: environment,
      what: ids.size > 1 ? "several earlier bundles begin so" : "there is no such earlier bundle",
      got: to,
      expected: `${isId ? "" : `at least ${fewestDigits} digits of the id of `}${listChoices(ids.size > 1 ? chosen : choices)}`,
    });
  }
  const after = put(
    now.release,
    chosen.map(({ name, layer }) => ({ name, target: layer })),
  );
  return {
    ...compareBundles(now, { ...now, release: after }),
    promotion: undefined,
    unproven: chosen.filter(({ layer }) => layer.wasApplied !== true).map(({ name }) => name),
  };
}

/** By deployment, the newest first; each bundle once, as it was last. */
function earlierBundles({ release }: Pick<History, "release">): Choice[] {
  return [...release]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .flatMap(([name, layers]) => {
      const seen = new Set<string | null>([topOf(layers).bundle, null]);
      return layers.toReversed().flatMap((layer) => {
        if (seen.has(layer.bundle)) return [];
        seen.add(layer.bundle);
        return [{ name, layer }];
      });
    });
}

function put<Content>(
  part: Readonly<Record<string, Content>>,
  targets: readonly { readonly name: string; readonly target: Layer<Content> | undefined }[],
): Record<string, Content> {
  const names = new Set(targets.map(({ name }) => name));
  const kept = Object.entries(part).filter(([name]) => !names.has(name));
  const back = targets.flatMap(({ name, target }) =>
    target?.release === undefined ? [] : [[name, target.release] as const],
  );
  return Object.fromEntries([...kept, ...back]);
}

function listChoices(choices: readonly Choice[]): string {
  return choices.map(({ name, layer }) => `${layer.bundle?.slice(0, shownDigits) ?? ""} (${name})`).join(" or ");
}

function nothingBefore(environment: string, why: string): BerthError {
  return new BerthError("no-earlier-bundle", {
    where: environment,
    what: `there is nothing to roll back: ${why}`,
    hint: "promote what should be there from the environment before it",
  });
}

function neverApplied(history: History, names: readonly string[]): BerthError {
  const choices = earlierBundles(history).filter(({ name }) => names.includes(name));
  return new BerthError("no-earlier-bundle", {
    where: history.environment,
    what: `nothing that ${names.join(", ")} had before was ever applied and healthy`,
    ...(choices.length === 0 ? {} : { got: listChoices(choices) }),
    hint: "name one of them with `--to`, or promote what should be there from the environment before it",
  });
}
