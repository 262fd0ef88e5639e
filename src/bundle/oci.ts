/** What indexes, manifests and configurations of images say (OCI image specification, and Docker's before it). Pure. */
import { z } from "zod";

import { parseJson } from "../lib/json.js";
import { imageDigest } from "../schema/scalars.js";

/** What something is known by, and how large it is. */
export interface Blob {
  readonly digest: string;
  readonly sizeBytes: number;
}

export interface Child extends Blob {
  /** `linux/amd64`; undefined for what is no image, such as an attestation. */
  readonly platform: string | undefined;
}

/** A manifest, as registries store and name it. */
export type Manifest =
  | { readonly kind: "index"; readonly mediaType: string; readonly children: readonly Child[] }
  | { readonly kind: "image"; readonly mediaType: string; readonly config: Blob; readonly layers: readonly Blob[] };

export const ociIndexType = "application/vnd.oci.image.index.v1+json";
const ociManifestType = "application/vnd.oci.image.manifest.v1+json";

const described = z
  .object({ digest: imageDigest, size: z.int().min(0), urls: z.array(z.string()).optional() })
  .transform(({ digest, size, urls }) => ({ digest, sizeBytes: size, urls }));
const platform = z.object({ os: z.string(), architecture: z.string() });
const child = z.intersection(described, z.object({ platform: platform.optional() }));
const none = z.undefined().optional();
/** What is an index and an image at once is read differently by different programs: it is neither. */
const index = z.object({
  mediaType: z.enum([ociIndexType, "application/vnd.docker.distribution.manifest.list.v2+json"]).default(ociIndexType),
  manifests: z.array(child),
  ...{ config: none, layers: none },
});
const image = z.object({
  mediaType: z.enum([ociManifestType, "application/vnd.docker.distribution.manifest.v2+json"]).default(ociManifestType),
  config: described,
  layers: z.array(described),
  manifests: none,
});
/** By it a layout's `index.json` names an image. */
export const layoutName = "org.opencontainers.image.ref.name";
const layoutIndex = z.object({
  manifests: z.array(z.object({ digest: imageDigest, annotations: z.record(z.string(), z.string()).default({}) })),
});
const configuration = z.object({
  os: z.string(),
  architecture: z.string(),
  rootfs: z.object({ diff_ids: z.array(z.string()) }),
});

/** Undefined for what is neither an index nor an image, such as what old registries have. */
export function readManifest(bytes: Uint8Array): Manifest | undefined {
  const json = parseJson(Buffer.from(bytes).toString("utf8"));
  const { data: several } = index.safeParse(json);
  if (several !== undefined) {
    const children = several.manifests.map(({ digest, sizeBytes, platform: of }) => {
      const name = of === undefined || of.os === "unknown" ? undefined : `${of.os}/${of.architecture}`;
      return { digest, sizeBytes, platform: name };
    });
    return { kind: "index", mediaType: several.mediaType, children };
  }
  const { data: single } = image.safeParse(json);
  if (single === undefined) return undefined;
  const { mediaType, config, layers } = single;
  return { kind: "image", mediaType, config: blobOf(config), layers: layers.map(blobOf) };
}

/** The images of a layout's `index.json`, with the names by which tools find them; undefined for what is none. */
export function readLayoutIndex(text: string | undefined): { digest: string; name: string | undefined }[] | undefined {
  const { data } = layoutIndex.safeParse(parseJson(text));
  return data?.manifests.map(({ digest, annotations }) => ({ digest, name: annotations[layoutName] }));
}

export interface ImageConfiguration {
  readonly platform: string;
  readonly os: string;
  readonly architecture: string;
  /** Digests of the unpacked layers, from the lowest. */
  readonly diffIds: readonly string[];
}

/** Undefined for what is not the configuration of an image. */
export function readConfiguration(bytes: Uint8Array): ImageConfiguration | undefined {
  const { data } = configuration.safeParse(parseJson(Buffer.from(bytes).toString("utf8")));
  if (data === undefined) return undefined;
  const { os, architecture, rootfs } = data;
  return { platform: `${os}/${architecture}`, os, architecture, diffIds: rootfs.diff_ids };
}

function blobOf({ digest, sizeBytes }: Blob): Blob {
  return { digest, sizeBytes };
}
