import type { DraftInstall } from "../catalog/artifact.js";
import { mirrorImage } from "../catalog/image-mirror.js";
import type { DraftEngine } from "../catalog/release.js";
import { BerthError } from "../lib/errors.js";
import type { ImageAnswer } from "./image-digest.js";
import type { LookUps } from "./look-ups.js";
import { locked, subjectOf, type Pinned, type PinProblem } from "./pin-problem.js";
import { pinImageSignature } from "./pin-signature.js";

type DraftImage = Extract<DraftInstall, { method: "image" }>;
type FoundImage = Omit<Extract<ImageAnswer, { kind: "found" }>, "kind">;

/**
 * An image by its digest, with its signature where one is asked for. A tag that was locked stays the image that it was,
 * wherever the registry has moved it since.
 */
export async function pinImage(
  problem: PinProblem,
  draft: DraftEngine,
  asked: DraftImage,
  edges: LookUps,
): Promise<Pinned> {
  const { catalogue, previous, mirrors } = problem;
  const { reference, digest, runnerImage } = asked;
  const place = mirrorImage(reference, mirrors.registries);
  const known = locked(previous)
    .flatMap(({ install }) => (install.method === "image" ? [install] : []))
    .filter((image) => image.reference === reference);
  const told: FoundImage | undefined = digest === undefined ? undefined : { digest };
  // The catalogue's digest of a runner image is what its tag had last; the lock moves only when it is asked to.
  const given = runnerImage === undefined ? (told ?? known[0]) : (known[0] ?? told);
  const image = given ?? (await findImage(draft, place, edges));
  const platforms = image.platforms === undefined ? {} : { platforms: image.platforms };
  const runner = runnerImage === undefined ? {} : { runnerImage };
  const install = { method: "image" as const, reference, digest: image.digest, ...platforms, ...runner };
  if (asked.signature === undefined) return { install, warnings: [] };
  const before = known.find((one) => one.digest === install.digest && one.signature !== undefined)?.signature;
  const { backend } = draft;
  const where = `${subjectOf(draft)}: ${place}@${install.digest}`;
  const signed = { catalogue, backend, keyFile: asked.signature.key, before, where, place, digest: install.digest };
  return { install: { ...install, signature: await pinImageSignature(signed, edges) }, warnings: [] };
}

async function findImage(draft: DraftEngine, place: string, edges: LookUps): Promise<FoundImage> {
  const answer = await edges.askImageDigest(place);
  if (answer.kind === "found") return answer;
  throw new BerthError("download-failed", {
    where: `${subjectOf(draft)}: ${place}`,
    ...(answer.kind === "unknown"
      ? {
          what: "the registry has no image of this name and tag, or shows it only to those who log in",
          hint: "correct the image's name, or write its `digest` into the backend file",
        }
      : {
          what: "the registry did not tell the image's digest",
          got: answer.reason,
          hint: "check the network, and log in with `docker login` where the registry asks for it; else give the digest yourself: as `digest` in the backend file, or in a deployment's `imageName`, as NAME@sha256:...",
        }),
  });
}
