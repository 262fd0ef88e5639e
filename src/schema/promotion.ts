/** What is written down of each promotion and rollback: the files of `promotions`. */
import { z } from "zod";

import { digest } from "../lib/canonical.js";
import { lockedDeployment, lockedPreload } from "./lock.js";
import { commit, name, sha256 } from "./scalars.js";

const wholeBundle = lockedDeployment
  .refine(({ id, ...rest }) => digest(rest) === id, { error: "expected a bundle whose id is the digest of the rest" })
  .describe("A bundle: what is deployed, the same in every environment");

const ids = {
  bundle: sha256.nullable().describe("Id of what it has from then on; null when it is taken away"),
  previous: sha256.nullable().describe("Id of what it had before; null when it was not there"),
};

const movedBundle = z
  .strictObject({
    ...ids,
    previousApplied: z
      .boolean()
      .describe("Whether the bundle before was applied and healthy in the environment when it was replaced"),
    release: wholeBundle.optional().describe("The bundle, whole; left out when it is taken away"),
    previousRelease: wholeBundle
      .optional()
      .describe("The bundle before, whole, so that a rollback needs nothing else; left out when there was none"),
  })
  .refine(
    ({ bundle, previous, release, previousRelease }) =>
      (release?.id ?? null) === bundle && (previousRelease?.id ?? null) === previous,
    { error: "expected `release` and `previousRelease` to be what `bundle` and `previous` name" },
  )
  .describe("How the bundle of a deployment changes");

const movedPreload = z
  .strictObject({
    ...ids,
    release: lockedPreload.optional().describe("What lies ready, whole; left out when it is taken away"),
    previousRelease: lockedPreload.optional().describe("What lay ready before, whole; left out when there was none"),
  })
  .refine(
    ({ bundle, previous, release, previousRelease }) => idOf(release) === bundle && idOf(previousRelease) === previous,
    { error: "expected `bundle` and `previous` to be the digests of `release` and `previousRelease`" },
  )
  .describe("How what lies ready changes; its id is the digest of all of it");

function idOf(preload: z.output<typeof lockedPreload> | undefined): string | null {
  return preload === undefined ? null : digest(preload);
}

const promotionBody = z.strictObject({
  recordVersion: z.literal(1).describe("Version of this format"),
  kind: z.enum(["promotion", "rollback"]).describe("Whether bundles came from another environment, or back"),
  at: z.iso
    .datetime({ precision: 3, error: "expected a time in UTC, such as 2026-11-22T15:04:05.000Z" })
    .describe("When, in UTC"),
  by: z
    .strictObject({ name: z.string().describe("Name"), email: z.string().describe("Address") })
    .optional()
    .describe("Who, as git says"),
  from: name.describe("The environment that the bundles come from; of a rollback the environment itself"),
  to: name.describe("The environment whose lock changes"),
  commit: commit.optional().describe("The git commit of the project"),
  dirty: z.boolean().describe("Whether files differed from that commit"),
  reason: z.string().optional().describe("Why something was forced"),
  forced: z.array(z.string()).describe("What was overruled, one sentence each"),
  evidence: sha256
    .optional()
    .describe(
      "Digest of the evidence that it relied on, which is kept as promotions/evidence/DIGEST.json; none of a rollback",
    ),
  releaseBefore: sha256.optional().describe("Digest of all that is promotable in the lock before; none without a lock"),
  releaseAfter: sha256.describe("Digest of all that is promotable in the lock after it"),
  bundles: z.record(name, movedBundle).describe("What changes, by deployment"),
  preload: z.record(name, movedPreload).optional().describe("What changes of what lies ready, by the stack's name"),
});

export const promotionRecord = promotionBody
  .extend({ digest: sha256.describe("Digest of the rest, so that nobody edits it by hand") })
  .refine(({ kind, from, to }) => (kind === "rollback") === (from === to), {
    error: "expected another environment for a promotion, and the environment itself for a rollback",
    path: ["from"],
  })
  .refine(({ digest: told, ...body }) => digest(body) === told, {
    error: "expected the digest of the rest: the record was changed after it was written",
    path: ["digest"],
  })
  .describe("Berth promotion record: what a promotion or a rollback changed");

export type PromotionBody = z.output<typeof promotionBody>;
export type PromotionRecord = z.output<typeof promotionRecord>;
export type MovedBundle = z.output<typeof movedBundle>;
export type MovedPreload = z.output<typeof movedPreload>;

/** A record with its digest. Pure. */
export function sealPromotion(body: PromotionBody): PromotionRecord {
  return { ...body, digest: digest(body) };
}
