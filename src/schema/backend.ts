import { z } from "zod";

import { backendContainer } from "./container-options.js";
import { acceleratorType } from "./accelerator-type.js";
import { pythonRange } from "./python-range.js";
import { runnerImageInstall } from "./runner-image.js";
import {
  category,
  duration,
  environment,
  httpUrl,
  imageDigest,
  name,
  relativeFile,
  sha256,
  version,
} from "./scalars.js";
import { variable } from "./variable.js";
import { hostSelector } from "./selector.js";
import { fileSignature, imageSignature } from "./signature.js";
import { sameVersion, withoutV } from "./version-constraint.js";
import { versionRange } from "./version-range.js";

const pathInArchive = z
  .string()
  .regex(/^(?!\/)(?!.*(?:^|\/)\.{1,2}(?:\/|$))[^\\\u0000-\u001f]{1,400}$/, {
    error: "expected a relative path without ..",
  })
  .describe("Path of a file inside an archive");

const flag = z.string().regex(/^-/, { error: "expected a flag, which begins with -" });

const regularExpression = z.string().refine(isRegularExpression, { error: "expected a regular expression" });

function isRegularExpression(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}

const acceleratorList = z
  .array(acceleratorType)
  .min(1)
  .describe("Accelerator types that it serves; a hard filter. `cpu` is a host, or a placement, without devices");

const operatingSystem = z.enum(["linux", "darwin", "windows"]).describe("Operating system");
const architecture = z.enum(["x64", "arm64"]).describe("Processor architecture");

/** Ways to install a backend version, in the order in which they are tried. */
export const installMethods = ["binary", "pipx", "image", "manual"] as const;
export type InstallMethod = (typeof installMethods)[number];

/** How the installed engine is asked for its version. */
export const versionProbe = z
  .strictObject({
    arguments: z.array(z.string()).default(["--version"]).describe("Arguments. Default: --version"),
    pattern: z
      .string()
      .default("{{version}}")
      .describe(
        "What the output must hold, as words: `build {{number}}`. {{version}} is the pinned version, {{number}} the digits at its end",
      ),
  })
  .describe("How the installed engine is asked for its version");

const packagePin = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[A-Za-z0-9._,-]+\])?(?:[=<>!~]=?[A-Za-z0-9.*!+,<>=~_-]+)?$/, {
    error: "expected a requirement, such as transformers==4.51.3",
  })
  .describe("A Python requirement, such as transformers==4.51.3");

export const pipxInstall = z
  .strictObject({
    package: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/)
      .describe("The Python package that is the engine"),
    packageVersion: version
      .optional()
      .describe("The package's version. Default: the backend version without a leading v"),
    extras: z.array(name).default([]).describe("Extras of the package, as in package[extra]"),
    pins: z.array(packagePin).default([]).describe("Further requirements that are installed with it"),
    constraints: z.array(packagePin).default([]).describe("Bounds for what it needs, as pip's constraints"),
    requirements: relativeFile
      .optional()
      .describe(
        "The package and everything it needs, each with its hashes (pip's requirements format). Without it the version is unpinned, and `lock` resolves it",
      ),
    launcher: relativeFile
      .optional()
      .describe("A Python file with a function main(), installed as the engine's command when the package brings none"),
    command: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/)
      .optional()
      .describe("The package's command that is the engine. Default: the package's only one, or the one of its name"),
    python: pythonRange
      .default(">=3.10")
      .describe("Python versions that the package works with, as comparisons that must all hold: >=3.10 <3.13"),
    acceleratorTypes: acceleratorList.optional().describe("Accelerator types that it serves. Default: cpu"),
    os: z
      .array(operatingSystem)
      .min(1)
      .default(["linux", "darwin"])
      .describe("Operating systems. Default: linux, darwin"),
    arch: z.array(architecture).min(1).default(["x64", "arm64"]).describe("Architectures. Default: x64, arm64"),
  })
  .describe("Installed by pipx in an environment of its own");

export const binaryArtifact = z
  .strictObject({
    os: operatingSystem,
    arch: architecture,
    acceleratorTypes: acceleratorList.optional().describe("Accelerator types that it serves. Default: cpu"),
    url: httpUrl.describe("Where the archive or the plain file is; `mirrors: { downloadBaseUrl }` replaces its host"),
    sha256: sha256.optional().describe("Its SHA-256. Without it the version is unpinned, and `lock` resolves it"),
    sizeBytes: z.int().min(1).optional().describe("Its size, bytes"),
    executable: pathInArchive
      .optional()
      .describe("Path of the executable in the archive; left out for a plain file, which is the executable"),
    unpackedBytes: z
      .int()
      .min(1)
      .default(8_000_000_000)
      .describe("Most that the archive may unpack to, bytes. Default 8 GB"),
    signature: fileSignature.optional(),
  })
  .describe("A file of a release for one platform: tar.gz, tar.xz, zip or a plain executable");

export const manualInstall = z
  .strictObject({
    sha256: sha256.optional().describe("SHA-256 that the executable must have. Default: any, and a change is drift"),
    acceleratorTypes: acceleratorList.optional().describe("Accelerator types that it serves. Default: any"),
  })
  .describe(
    "An executable that an administrator put into the bin directory as BACKEND_VERSION; adopted, never deleted",
  );

export const imageInstall = z
  .strictObject({
    reference: z
      .string()
      .regex(/^[a-z0-9][A-Za-z0-9._:/-]{0,300}$/, { error: "expected an image reference without a digest" })
      .describe("The image, as registry/repository:tag"),
    digest: imageDigest
      .optional()
      .describe("Digest of the image or its index. Without it the version is unpinned, and `lock` resolves it"),
    platforms: z
      .array(z.enum(["linux/amd64", "linux/arm64"]))
      .min(1)
      .default(["linux/amd64"])
      .describe("Platforms of the image. Default: linux/amd64"),
    acceleratorTypes: acceleratorList.optional().describe("Accelerator types that it serves. Default: any"),
    signature: imageSignature.optional(),
  })
  .describe("A container image");

export const healthRequest = z
  .strictObject({
    method: z.enum(["GET", "POST"]).default("POST").describe("HTTP method. Default POST"),
    path: z.string().regex(/^\//).describe("HTTP path"),
    body: z.string().optional().describe("Body, with {{model_name}} as the name under which the model is served"),
    contentType: z.string().default("application/json").describe("Its type. Default application/json"),
    expect: z
      .string()
      .min(1)
      .optional()
      .describe("Text that the answer must hold. Default: any answer with status 2xx"),
  })
  .describe("A request that proves that the model answers, for engines that do not speak OpenAI's API");

/** How an instance has several hosts. */
export const distribution = z
  .discriminatedUnion("method", [
    z
      .strictObject({
        method: z.literal("rpc").describe("llama.cpp's RPC: a server on each subordinate, which the primary loads to"),
        executable: z
          .string()
          .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$/, { error: "expected the name of a file" })
          .describe("The RPC server, beside the engine's executable in its archive"),
      })
      .describe("llama.cpp's RPC servers"),
    z
      .strictObject({
        method: z.literal("ray").describe("Ray: a head beside the engine, and a member on each other host"),
        arguments: z
          .array(z.string())
          .optional()
          .describe("Arguments of an engine that has several hosts, such as --distributed-executor-backend ray"),
      })
      .describe("A Ray cluster of the engine's own Python environment, which has to have the package ray"),
  ])
  .describe("How an instance has several hosts");

/** What a backend and each of its versions may say; a version's counts. */
const runnerFields = {
  env: environment.default({}).describe("Environment of the runner; a version's overrides the backend's"),
  entrypoint: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Entrypoint of the container, split into words the POSIX way. Default: the known one of the image, or its own",
    ),
  healthRequest: healthRequest.optional(),
  stopTimeout: duration
    .optional()
    .describe(
      "How long the engine may take to end when it is asked to, before it is killed; a deployment's `update` overrides it. Default 10s",
    ),
  container: backendContainer.optional(),
  distributed: distribution
    .optional()
    .describe(
      "How an instance of it has several hosts: rpc where the version is installed as a binary, ray where it is by pipx. Without it none has",
    ),
};

export const backendVersion = z
  .strictObject({
    ...runnerFields,
    install: z
      .strictObject({
        binary: z.array(binaryArtifact).min(1).optional().describe("Files of the release, one for each platform"),
        pipx: pipxInstall.optional(),
        image: imageInstall.optional(),
        runnerImage: runnerImageInstall.optional(),
        manual: manualInstall.optional(),
      })
      .describe(
        "Ways to install this version. The first that fits the host is taken: binary, pipx, image or runnerImage, manual",
      ),
    runCommand: z.string().optional().describe("Arguments of the runner; overrides the backend's"),
    healthPath: z.string().regex(/^\//).optional().describe("HTTP path; overrides the backend's"),
    knownFlags: z
      .array(flag)
      .optional()
      .describe("Flags that this version knows; another one in a deployment's parameters is a warning"),
    architectures: z
      .array(z.string())
      .optional()
      .describe("Model architectures that this version serves; another one fails the lock"),
  })
  .describe("One pinned release of the backend");

const imageCommand = z
  .strictObject({
    repository: z.string().describe("The image's repository, without registry and tag"),
    versions: versionRange.default("*").describe("Versions of the backend that it holds for"),
    entrypoint: z.string().describe("The image's own entrypoint, split into words the POSIX way"),
    runCommand: z.string().optional().describe("Arguments after it. Default: those of the version or the backend"),
  })
  .describe("How an image starts its engine");

const backendFields = z.strictObject({
  schemaVersion: z.literal(1).describe("Version of this format"),
  name,
  description: z.string().default("").describe("What the backend is"),
  defaultVersion: version.optional().describe("The version of deployments that name none"),
  buildNumber: regularExpression
    .optional()
    .describe(
      "Where versions are build numbers: a regular expression whose first group is the number by which they compare",
    ),
  healthPath: z
    .string()
    .regex(/^\//)
    .default("/v1/models")
    .describe("HTTP path that answers 2xx when the engine is up"),
  ...runnerFields,
  runCommand: z
    .string()
    .default("")
    .describe("Arguments of the runner, with placeholders such as {{model_path}}; split into words the POSIX way"),
  defaultParameters: z
    .array(z.string())
    .default([])
    .describe("Arguments after the command, unless the deployment has `parameters`"),
  contextLengthFlag: flag.optional().describe("The engine's flag for the context length"),
  contextLengthAliases: z.array(flag).default([]).describe("Other names of that flag, such as its short form"),
  projectorFlag: flag
    .optional()
    .describe("The engine's flag for the file that reads images or sound for a GGUF model, such as --mmproj"),
  flags: z
    .strictObject({
      host: z.array(flag).default([]).describe("Of the address to listen on"),
      port: z.array(flag).default([]).describe("Of the port"),
      servedModel: z.array(flag).default([]).describe("Of the name under which the model is served"),
      tensorParallelSize: z.array(flag).default([]).describe("Of the tensor parallel size"),
      pipelineParallelSize: z.array(flag).default([]).describe("Of the pipeline parallel size: groups of layers"),
    })
    .prefault({})
    .describe(
      "Flags whose values Berth decides; one that a deployment gives in its parameters binds Berth, and is not given twice",
    ),
  ownedFlags: z
    .array(flag)
    .default([])
    .describe("Flags that Berth itself sets; giving one of them in a deployment's parameters is an error"),
  apiKeyVariable: variable.optional().describe("Environment variable through which the engine takes its API key"),
  categories: z
    .array(category)
    .min(1)
    .optional()
    .describe(
      "What its models do. A deployment of another category fails the lock; one that says none gets the only one. Default: any",
    ),
  installOrder: z
    .array(z.enum(installMethods))
    .min(1)
    .default([...installMethods])
    .describe("Ways to install it that are tried unasked. Default: binary, pipx, image, manual"),
  versionProbe: versionProbe.optional(),
  memory: z
    .strictObject({
      engine: z.enum(["llama-cpp", "vllm"]).describe("The engine whose way of making memory it has"),
      exact: versionRange
        .optional()
        .describe(
          "Versions that can be told what to take: of llama-cpp by --fit off, of vllm by --kv-cache-memory-bytes",
        ),
    })
    .optional()
    .describe("How its memory is known before it starts. Without it an instance has its devices alone"),
  images: z.array(imageCommand).default([]).describe("Entrypoints of the backend's images, by repository and version"),
  hostSelector: hostSelector
    .default({})
    .describe("Labels of hosts that it runs on, such as os and arch; a deployment's `hostSelector` counts instead"),
  versions: z
    .record(version, backendVersion)
    .refine((versions) => Object.keys(versions).length > 0, { error: "expected at least one version" })
    .superRefine(refuseTwice)
    .describe("The versions, by name"),
});

/** `v0.19.0` and `0.19.0` are one version, so a file that has both does not tell which counts. */
function refuseTwice(versions: Readonly<Record<string, unknown>>, context: z.RefinementCtx): void {
  const seen = new Map<string, string>();
  for (const name of Object.keys(versions)) {
    const first = seen.get(withoutV(name));
    if (first === undefined) seen.set(withoutV(name), name);
    else
      context.addIssue({
        code: "custom",
        path: [name],
        message: `expected each version once, and ${first} is the same`,
      });
  }
}

function hasVersion(versions: Readonly<Record<string, unknown>>, wanted: string): boolean {
  return Object.keys(versions).some((version) => sameVersion(version, wanted));
}

export const backendFile = backendFields
  .refine(({ defaultVersion: wanted, versions }) => wanted === undefined || hasVersion(versions, wanted), {
    error: "expected one of the versions below",
    path: ["defaultVersion"],
  })
  .describe("Berth backend file: one inference engine and its pinned versions");

/** A project's file about a backend that is known already: what it leaves out stays as it is. */
export const backendOverlay = backendFields
  .partial({ versions: true })
  .describe("Berth backend file: changes to a backend that Berth knows");

export type BackendFile = z.output<typeof backendFile>;
export type BackendOverlay = z.output<typeof backendOverlay>;
export type BackendVersionEntry = z.output<typeof backendVersion>;
export type PipxInstall = z.output<typeof pipxInstall>;
export type BinaryArtifact = z.output<typeof binaryArtifact>;
export type ManualInstall = z.output<typeof manualInstall>;
export type ImageInstall = z.output<typeof imageInstall>;
export type HealthRequest = z.output<typeof healthRequest>;
export type Distribution = z.output<typeof distribution>;
export type VersionProbe = z.output<typeof versionProbe>;
