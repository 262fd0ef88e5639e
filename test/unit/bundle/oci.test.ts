import { describe, expect, it } from "vitest";

import { readManifest } from "../../../src/bundle/oci.js";

const described = { digest: `sha256:${"a".repeat(64)}`, size: 1 };
const image = { config: described, layers: [described] };
const index = { manifests: [described] };
const read = (manifest: object) => readManifest(Buffer.from(JSON.stringify(manifest)));

describe("a manifest", () => {
  it.each([
    ["index", { ...index, mediaType: "application/vnd.oci.image.index.v1+json" }],
    ["index", { ...index, mediaType: "application/vnd.docker.distribution.manifest.list.v2+json" }],
    ["index", index],
    ["image", { ...image, mediaType: "application/vnd.oci.image.manifest.v1+json" }],
    ["image", { ...image, mediaType: "application/vnd.docker.distribution.manifest.v2+json" }],
    ["image", image],
  ])("is an %s", (kind, manifest) => {
    expect(read(manifest)).toMatchObject({ kind });
  });

  it.each([
    ["an index and an image at once", { ...index, ...image }],
    ["an index that says it is an image", { ...index, mediaType: "application/vnd.oci.image.manifest.v1+json" }],
    ["an image that says it is an index", { ...image, mediaType: "application/vnd.oci.image.index.v1+json" }],
    ["a type with a header in it", { ...image, mediaType: "application/json\r\nx-evil: 1" }],
    ["without layers", { config: described }],
    ["a digest that is a path", { ...index, manifests: [{ ...described, digest: "sha256:../../x" }] }],
  ])("is none that is %s", (_, manifest) => {
    expect(read(manifest)).toBeUndefined();
  });
});
