import { z } from "zod";

import { sha256 } from "../lib/canonical.js";
import { BerthError, messageOf } from "../lib/errors.js";
import { askRegistry, readImageReference, type Asker } from "./image-digest.js";

/** A manifest or an index as a registry has it. */
export interface Manifest {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  readonly digest: string;
}

/** The image of one platform, as an index names it. */
export interface PlatformImage {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform: { readonly os: string; readonly architecture: string; readonly variant?: string | undefined };
  readonly labels: Readonly<Record<string, string>>;
}

const ociIndex = "application/vnd.oci.image.index.v1+json";
const dockerIndex = "application/vnd.docker.distribution.manifest.list.v2+json";
const ociManifest = "application/vnd.oci.image.manifest.v1+json";

const single = z.object({ config: z.object({ digest: z.string() }) });
const several = z.object({
  manifests: z.array(
    z.object({ digest: z.string(), platform: z.object({ os: z.string(), architecture: z.string() }).optional() }),
  ),
});
const imageConfig = z.object({
  os: z.string(),
  architecture: z.string(),
  variant: z.string().optional(),
  config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }).nullish(),
});

/**
 * The manifest that a tag leads to now; undefined where there is none.
 *
 * @throws BerthError `image-unavailable` when the registry does not tell
 */
export async function readManifest(reference: string, asker: Asker): Promise<Manifest | undefined> {
  const response = await ask("GET", reference, "manifests", readImageReference(reference).tag, asker);
  if (response === undefined) return undefined;
  const bytes = new Uint8Array(await response.arrayBuffer());
  const mediaType = (response.headers.get("content-type") ?? "").split(";")[0]?.trim() ?? "";
  return { mediaType, bytes, digest: `sha256:${sha256(bytes)}` };
}

/** The image of one platform that a tag leads to; undefined where it leads to none. */
export async function readPlatformImage(reference: string, asker: Asker): Promise<PlatformImage | undefined> {
  const manifest = await readManifest(reference, asker);
  const config = single.safeParse(manifest === undefined ? undefined : parse(manifest.bytes)).data?.config.digest;
  if (manifest === undefined || config === undefined) return undefined;
  const response = await ask("GET", reference, "blobs", config, asker);
  if (response === undefined) return undefined;
  const { data } = imageConfig.safeParse(parse(new Uint8Array(await response.arrayBuffer())));
  if (data === undefined) return undefined;
  const { os, architecture, variant } = data;
  const platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  const { mediaType, digest, bytes } = manifest;
  return { mediaType, digest, size: bytes.length, platform, labels: data.config?.Labels ?? {} };
}

/** The index of images, in their order. Equal images give equal bytes. */
export function composeIndex(images: readonly PlatformImage[]): Manifest {
  const mediaType = images.every((image) => image.mediaType === ociManifest) ? ociIndex : dockerIndex;
  const manifests = images.map(({ mediaType: type, digest, size, platform }) => {
    return { mediaType: type, size, digest, platform };
  });
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  return { mediaType, bytes, digest: `sha256:${sha256(bytes)}` };
}

/** The platforms of an index, `linux/amd64`, with the digests of their images; undefined for anything else. */
export function platformsOf({ bytes }: Manifest): Record<string, string> | undefined {
  const { data } = several.safeParse(parse(bytes));
  const named = data?.manifests.map(({ digest, platform }) => [`${platform?.os}/${platform?.architecture}`, digest]);
  return named === undefined ? undefined : (Object.fromEntries(named) as Record<string, string>);
}

/**
 * Gives a manifest a tag. What it names must be in the repository.
 *
 * @throws BerthError `image-unavailable` when the registry does not take it
 */
export async function writeManifest(reference: string, manifest: Manifest, asker: Asker): Promise<void> {
  const { tag } = readImageReference(reference);
  await ask("PUT", reference, "manifests", tag, asker, manifest);
}

async function ask(
  method: "GET" | "PUT",
  reference: string,
  kind: "manifests" | "blobs",
  name: string,
  asker: Asker,
  content?: Manifest,
): Promise<Response | undefined> {
  const { origin, repository } = readImageReference(reference);
  const refuse = (got: string) =>
    new BerthError("image-unavailable", {
      ...{ where: reference, got },
      what: method === "PUT" ? "the registry did not take the image" : "the registry did not tell of the image",
      hint: `check the network and the name, and log in: docker login ${new URL(origin).host}`,
    });
  let response: Response;
  try {
    response = await askRegistry(method, `${origin}/v2/${repository}/${kind}/${name}`, origin, asker, content);
  } catch (error) {
    asker.signal?.throwIfAborted();
    if (error instanceof BerthError) throw error;
    throw refuse(messageOf(error instanceof Error && error.cause instanceof Error ? error.cause : error));
  }
  if (response.ok) return response;
  await response.body?.cancel();
  if (method === "GET" && response.status === 404) return undefined;
  throw refuse(`HTTP status ${response.status}`);
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return undefined;
  }
}
