/** Which models in a host's cache nobody wants any more, and their removal. */
import { posix } from "node:path";

import type { Host } from "../host/host.js";
import { dataPaths } from "../host/paths.js";
import type { ModelClaim, StoredModel } from "./model-inventory.js";
import { cacheFolder } from "./model-places.js";

/** A model that a lock has on the host. */
export interface WantedModel {
  /** `project/stack` whose lock it is. */
  readonly owner: string;
  /** Identity by content. */
  readonly sha256: string;
  /** SHA-256 of its files. */
  readonly files: readonly string[];
}

/** All that is known of the models of one host. */
export interface ModelSurvey {
  readonly stored: readonly StoredModel[];
  /** Resources of all stacks that the host's journal has. */
  readonly claims: readonly ModelClaim[];
  /** What the locks that are at hand want there. */
  readonly wanted: readonly WantedModel[];
}

/** Why a model is kept: a resource has it, a lock would fetch it again, or it may be a part of what is being fetched. */
export interface ModelUse {
  readonly owner: string;
  readonly how: "resource" | "lock" | "fetch";
}

/**
 * Who uses a stored model; of one in the cache also who would fetch it again, or a file of it. Pure.
 */
export function findUses(model: StoredModel, { stored, claims, wanted }: ModelSurvey): ModelUse[] {
  const claimed = claims.filter(({ sha256 }) => sha256 === model.sha256);
  const uses: ModelUse[] = claimed.map(({ owner }) => ({ owner, how: "resource" }));
  if (model.place === "in place") return uses;
  const inPlace = new Set(stored.filter(({ place }) => place === "in place").map(({ sha256 }) => sha256));
  const missing = wanted.filter(({ sha256 }) => !inPlace.has(sha256));
  const held = new Set([model.sha256, ...model.digests]);
  const needed = missing.filter(({ sha256, files }) => [sha256, ...files].some((digest) => held.has(digest)));
  uses.push(...needed.map(({ owner }): ModelUse => ({ owner, how: "lock" })));
  if (model.source !== "") return uses;
  // The files of a model that only the journal knows are not told apart from others; a file alone is its own model.
  const alone = stored.filter(({ source }) => source === "").map(({ sha256 }) => sha256);
  const known = new Set([...inPlace, ...alone, ...wanted.map(({ sha256 }) => sha256)]);
  const fetching = claims.filter(({ sha256 }) => !known.has(sha256) && sha256 !== model.sha256);
  return [...uses, ...fetching.map(({ owner }): ModelUse => ({ owner, how: "fetch" }))];
}

/** What of the cache may go: no stack has it on the host, and no lock would fetch it again. Pure. */
export function chooseEvictedModels(survey: ModelSurvey): StoredModel[] {
  return survey.stored.filter((model) => model.place === "cache" && findUses(model, survey).length === 0);
}

/** Removes a model from the cache. Interrupted, it leaves less of it, which is as unwanted as before. */
export async function evictModel(host: Host, dataDir: string, { sha256 }: Pick<StoredModel, "sha256">): Promise<void> {
  await host.remove(cacheFolder(dataDir, sha256));
  await host.removeIfEmpty(posix.join(dataPaths(dataDir).cache, "models"));
}
