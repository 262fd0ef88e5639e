import { z } from "zod";

import { environment, name, version } from "./scalars.js";

const relativeFile = z
  .string()
  .regex(/^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/, {
    error: "expected a path below the folder of the backend file",
  })
  .describe("A path relative to the folder of the backend file");

const pipxInstall = z
  .strictObject({
    package: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/)
      .describe("The Python package that is the engine"),
    requirements: relativeFile.describe(
      "The package and everything it needs, each with its hashes (pip's requirements format)",
    ),
    launcher: relativeFile
      .optional()
      .describe("A Python file with a function main(), installed as the engine's command when the package brings none"),
    python: z.string().default(">=3.10").describe("Python versions that the package works with"),
  })
  .describe("Installed by pipx in an environment of its own");

const backendVersion = z
  .strictObject({
    install: z.strictObject({ pipx: pipxInstall }).describe("Ways to install this version"),
    env: environment.default({}).describe("Environment of the runner; overrides the backend's"),
    runCommand: z.string().optional().describe("Arguments of the runner; overrides the backend's"),
  })
  .describe("One pinned release of the backend");

export const backendFile = z
  .strictObject({
    schemaVersion: z.literal(1).describe("Version of this format"),
    name,
    description: z.string().default("").describe("What the backend is"),
    defaultVersion: version.describe("The version of deployments that name none"),
    healthPath: z
      .string()
      .regex(/^\//)
      .default("/v1/models")
      .describe("HTTP path that answers 2xx when the engine is up"),
    env: environment.default({}).describe("Environment of the runner"),
    runCommand: z
      .string()
      .describe("Arguments of the runner, with placeholders such as {{model_path}}; split into words the POSIX way"),
    defaultParameters: z
      .array(z.string())
      .default([])
      .describe("Arguments after the command, unless the deployment has `parameters`"),
    contextLengthFlag: z.string().regex(/^-/).optional().describe("The engine's flag for the context length"),
    ownedFlags: z
      .array(z.string().regex(/^-/))
      .default([])
      .describe("Flags that Berth itself sets; giving one of them in a deployment's parameters is an error"),
    apiKeyVariable: z.string().optional().describe("Environment variable through which the engine takes its API key"),
    versions: z
      .record(version, backendVersion)
      .refine((versions) => Object.keys(versions).length > 0, { error: "expected at least one version" })
      .describe("The versions, by name"),
  })
  .refine((file) => Object.hasOwn(file.versions, file.defaultVersion), {
    error: "expected one of the versions below",
    path: ["defaultVersion"],
  })
  .describe("Berth backend file: one inference engine and its pinned versions");

export type BackendFile = z.output<typeof backendFile>;
export type BackendVersionEntry = z.output<typeof backendVersion>;
