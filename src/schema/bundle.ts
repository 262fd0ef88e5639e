import { z } from "zod";

import { imagePlatform } from "./lock.js";
import { imageDigest, imageReference, name, sha256, wheelFile } from "./scalars.js";

const sizeBytes = z.int().min(0).describe("Its size, bytes");

/** What people are shown: one line that moves no cursor and hides nothing. */
const shownText = z
  .string()
  .regex(/^[^\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]{1,10000}$/, {
    error: "expected a line of text without control characters",
  });

const bundledImage = z
  .strictObject({
    reference: imageReference.describe("The image, by its public name"),
    digest: imageDigest.describe("Its digest, or its index's"),
    blobs: z
      .array(z.strictObject({ digest: imageDigest.describe("Its digest"), sizeBytes }))
      .min(1)
      .describe("All that it is made of: index, manifests, configurations and layers, in `blobs/sha256`"),
    isWhole: z.boolean().describe("Whether all platforms of its index are there; only then a registry takes it"),
  })
  .describe("A container image");

const bundledFile = z
  .strictObject({
    sha256: sha256.describe("Its SHA-256; it lies in `files/sha256` by this name"),
    sizeBytes,
    kind: z.enum(["archive", "model", "wheel"]).describe("What it is"),
    name: shownText.describe("For people: the backend version, the model's file"),
    wheel: wheelFile.optional(),
    from: shownText.describe("Where it was fetched from; for people"),
  })
  .describe("A file");

const bundledPackages = z
  .strictObject({
    requirements: sha256.describe("SHA-256 of the list"),
    platform: imagePlatform.describe("Platform of the hosts"),
    python: z
      .string()
      .regex(/^\d{1,3}\.\d{1,3}$/, { error: "expected a version of Python such as 3.11" })
      .optional()
      .describe("Their Python; without it, of those whose Python is not known"),
    withoutWheel: z
      .array(shownText)
      .describe("Packages of the list of which the index has no wheel for these hosts, as `NAME==VERSION`"),
  })
  .describe("A list of Python packages, for hosts of one kind: the bundle has wheels of all but those that it names");

/** `bundle.json`: what a bundle holds. Every path in it follows from a digest, and none from what is written here. */
export const bundleFile = z
  .strictObject({
    bundleVersion: z.literal(1).describe("Version of this format"),
    stack: name.describe("The stack that it was made for"),
    lock: sha256.describe("Id of the lock that it was made from"),
    release: z.record(name, sha256).describe("What the lock deploys: the ids of its releases, by deployment"),
    platforms: z.array(imagePlatform).min(1).describe("Platforms that it has images and files for"),
    images: z.array(bundledImage).max(1000).describe("Container images, as an OCI layout"),
    files: z.array(bundledFile).describe("Archives of releases, files of models, and wheels"),
    packages: z.array(bundledPackages).default([]).describe("Lists of Python packages"),
  })
  .describe("Contents of a bundle: all that a lock needs, for hosts without a route to where it comes from");

export type BundleFile = z.output<typeof bundleFile>;
export type BundledImage = BundleFile["images"][number];
export type BundledFile = BundleFile["files"][number];
export type BundledPackages = BundleFile["packages"][number];
export type ImagePlatform = z.output<typeof imagePlatform>;
