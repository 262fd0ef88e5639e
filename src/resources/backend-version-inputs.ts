import { z } from "zod";

import { digest } from "../lib/canonical.js";
import { versionProbe } from "../schema/backend.js";
import { lockedFileSignature, lockedImageSignature } from "../schema/signature.js";
import { commonInputs } from "./common.js";
import { hostChange } from "./host-change.js";
import type { DifferenceTable } from "./kind.js";

const content = z.strictObject({
  file: z.string().describe("Path below a backends folder"),
  sha256: z.string().describe("Its SHA-256"),
});

const artifact = z.strictObject({
  os: z.string().describe("Operating system"),
  arch: z.string().describe("Processor architecture"),
  url: z.string().describe("Where the file is"),
  sha256: z.string().describe("Its SHA-256"),
  sizeBytes: z.int().optional().describe("Its size, bytes"),
  executable: z.string().optional().describe("The executable in the archive; a plain file has none"),
  unpackedBytes: z.int().describe("Most that the archive may unpack to, bytes"),
  signature: lockedFileSignature.optional(),
});

const pinnedImage = z.strictObject({
  reference: z.string().describe("The image, as registry/repository:tag"),
  digest: z.string().describe("Its digest, or its index's"),
  ids: z.array(z.string()).optional().describe("Other digests that it has on the host's platform"),
});

const imageInputs = {
  reference: z.string().optional().describe("image: its name, as registry/repository:tag"),
  digest: z.string().optional().describe("image: its digest, or its index's"),
  ids: z.array(z.string()).optional().describe("image: other digests that it has on the host's platform"),
  signature: lockedImageSignature.optional(),
  pullFrom: z.string().optional().describe("image: its name at the mirror that it is pulled from"),
  registryUser: z.string().optional().describe("image: user of the registry that it is pulled from"),
  registryPassword: z.string().optional().describe("image: that user's password; a secret"),
  neverPull: z
    .array(pinnedImage)
    .optional()
    .describe("image: nothing is pulled; all images that the host needs, to tell which of them are missing"),
};

export const backendVersionInputs = z.strictObject({
  ...commonInputs,
  backend: z.string().describe("Name of the backend"),
  version: z.string().describe("Its version"),
  method: z.enum(["pipx", "binary", "manual", "image"]).describe("How it is installed"),
  package: z.string().optional().describe("pipx: the Python package"),
  packageVersion: z.string().optional().describe("pipx: the package's version, when it is not the backend's"),
  command: z.string().optional().describe("pipx: the package's command that is the engine"),
  python: z.string().optional().describe("pipx: Python versions that the package works with"),
  requirements: content.optional().describe("pipx: the package and all it needs, with hashes"),
  launcher: content.optional().describe("pipx: the module that is the engine's command"),
  artifacts: z.array(artifact).optional().describe("binary: the release's file for each platform"),
  sha256: z.string().optional().describe("manual: SHA-256 that the executable must have"),
  ...imageInputs,
  versionProbe: versionProbe.optional(),
  pipxPath: z.string().optional().describe("pipx to use"),
  indexUrl: z.string().optional().describe("Package index to use"),
  downloadBaseUrl: z.string().optional().describe("Where releases are downloaded from"),
  retention: z.int().optional().describe("Versions of a backend whose downloads are kept when nobody wants them"),
});

export type BackendVersionInputs = z.output<typeof backendVersionInputs>;

export const backendVersionDifferences: DifferenceTable<BackendVersionInputs> = {
  name: { change: "replace", reason: "another resource" },
  owner: { change: "replace", reason: "another owner" },
  host: hostChange("replace"),
  backend: { change: "replace", reason: "another backend" },
  version: { change: "replace", reason: "another version; the old one stays until nobody wants it" },
  method: {
    change: (olds, news) => (olds !== news && [olds, news].includes("image") ? "replace" : "update"),
    reason: "installed in another way",
  },
  package: { change: "update", reason: "another package: installed anew" },
  packageVersion: { change: "update", reason: "another package: installed anew" },
  command: { change: "update", reason: "another command of the package: installed anew" },
  python: { change: "none", reason: "checked at the next installation" },
  requirements: { change: "update", reason: "other pinned packages: installed anew" },
  launcher: { change: "update", reason: "another launcher: installed anew" },
  artifacts: { change: "update", reason: "another file of the release: installed anew if it is this host's" },
  sha256: { change: "update", reason: "another executable is expected" },
  reference: { change: "update", reason: "another name of the same image" },
  digest: { change: "replace", reason: "another image; the old one stays until nobody wants it" },
  ids: { change: "none", reason: "the image is known by its digest" },
  signature: { change: "update", reason: "another signature: verified again" },
  pullFrom: { change: "none", reason: "used at the next pull" },
  registryUser: { change: "none", reason: "used at the next pull" },
  registryPassword: { change: "none", reason: "used at the next pull" },
  neverPull: { change: "none", reason: "holds from the next pull" },
  versionProbe: { change: "none", reason: "asked at the next installation" },
  pipxPath: { change: "none", reason: "used at the next installation" },
  indexUrl: { change: "none", reason: "used at the next download" },
  downloadBaseUrl: { change: "none", reason: "used at the next download" },
  retention: { change: "none", reason: "holds from the next change" },
};

export interface Platform {
  readonly os: string;
  readonly arch: string;
}

/** What is to be installed on a host. What is of no use to an installation method is not in it. */
export type WantedArtifact =
  | ({ readonly method: "pipx" } & Pick<BackendVersionInputs, "packageVersion" | "command" | "python" | "launcher"> & {
        readonly package: string;
        readonly requirements: { readonly file: string; readonly sha256: string };
      })
  | { readonly method: "binary"; readonly file: z.output<typeof artifact> | undefined }
  | { readonly method: "manual"; readonly sha256: string | undefined };

type ArtifactInputs = Pick<BackendVersionInputs, "method"> &
  Partial<
    Pick<
      BackendVersionInputs,
      "package" | "packageVersion" | "command" | "python" | "requirements" | "launcher" | "artifacts" | "sha256"
    >
  >;

/** Pure. A binary's file is undefined when the release has none for the platform. */
export function wantedArtifact(inputs: ArtifactInputs, { os, arch }: Platform): WantedArtifact {
  const { method, packageVersion, command, python, launcher, requirements } = inputs;
  switch (method) {
    case "pipx":
      if (inputs.package === undefined || requirements === undefined) throw new Error("pipx without its package");
      return { method, package: inputs.package, requirements, packageVersion, command, python, launcher };
    case "binary":
      return { method, file: inputs.artifacts?.find((file) => file.os === os && file.arch === arch) };
    case "manual":
      return { method, sha256: inputs.sha256 };
    case "image":
      throw new Error("an image is not installed");
  }
}

/** Equal for what installs the same bytes. */
export function artifactDigest(wanted: WantedArtifact): string {
  switch (wanted.method) {
    case "pipx": {
      const { package: name, packageVersion, command, requirements, launcher } = wanted;
      return digest({
        package: name,
        packageVersion,
        command,
        requirements: requirements.sha256,
        launcher: launcher?.sha256,
      });
    }
    case "binary":
      return digest({ file: wanted.file?.sha256, executable: wanted.file?.executable });
    case "manual":
      return digest({ method: "manual", sha256: wanted.sha256 });
  }
}
