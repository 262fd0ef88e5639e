/** Which images an index has, and by which digests engines know them. */
import { createHash } from "node:crypto";

import { z } from "zod";

import { imagePlatform, type ImagePlatforms } from "../schema/lock.js";

/** A manifest or a blob of a repository by its digest; undefined when the registry does not give it. */
export type ReadByDigest = (kind: "manifests" | "blobs", digest: string) => Promise<Uint8Array | undefined>;

const described = z.object({ digest: z.string() });
const platform = z.object({ os: z.string(), architecture: z.string() });
const layers = z.array(z.object({ size: z.int().min(0) })).optional();
const manifest = z.object({ config: described, layers: layers.catch(undefined) });
const index = z.object({ manifests: z.array(described.extend({ platform: platform.optional() })) });

/**
 * The images of a digest by their platforms, of those that Berth runs on. Undefined when the registry does not tell,
 * or tells what its digests do not fit: nothing but comfort depends on them.
 */
export async function findPlatforms(digest: string, read: ReadByDigest): Promise<ImagePlatforms | undefined> {
  const found: ImagePlatforms = {};
  const top = await readJson("manifests", digest, read);
  const { data: several } = index.safeParse(top);
  if (several === undefined) {
    const { data: single } = manifest.safeParse(top);
    const id = single?.config.digest;
    const of = id === undefined ? undefined : platform.safeParse(await readJson("blobs", id, read)).data;
    if (single !== undefined && of !== undefined) add(found, of, digest, single);
  }
  for (const { digest: one, platform: of } of several?.manifests ?? []) {
    if (of === undefined || nameOf(of) === undefined) continue;
    const { data: single } = manifest.safeParse(await readJson("manifests", one, read));
    if (single !== undefined) add(found, of, one, single);
  }
  return Object.keys(found).length === 0 ? undefined : found;
}

/** Of several images for a platform, such as for variants of a processor, engines choose; the first is told. */
function add(
  found: ImagePlatforms,
  of: z.output<typeof platform>,
  digest: string,
  { config, layers: all }: z.output<typeof manifest>,
): void {
  const name = nameOf(of);
  if (name === undefined) return;
  const size = all === undefined ? {} : { sizeBytes: all.reduce((sum, layer) => sum + layer.size, 0) };
  found[name] ??= { digest, id: config.digest, ...size };
}

function nameOf({ os, architecture }: z.output<typeof platform>) {
  return imagePlatform.safeParse(`${os}/${architecture}`).data;
}

async function readJson(kind: "manifests" | "blobs", digest: string, read: ReadByDigest): Promise<unknown> {
  const bytes = await read(kind, digest);
  if (bytes === undefined || `sha256:${createHash("sha256").update(bytes).digest("hex")}` !== digest) return undefined;
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return undefined;
  }
}
