import { z } from "zod";

import { hostFacts, hostUsage } from "./facts.js";
import { environment, fileName, name, port, sha256, version } from "./scalars.js";

const content = z.strictObject({
  file: z.string().describe("Path below a backends folder"),
  sha256,
});

const lockedInstall = z
  .strictObject({
    method: z.literal("pipx").describe("How the backend version is installed"),
    package: z.string().describe("The Python package"),
    requirements: content.describe("The package and all it needs, with hashes"),
    launcher: content.optional().describe("The module that is the engine's command"),
  })
  .describe("The artifact, exactly");

const lockedModel = z
  .strictObject({
    from: z.discriminatedUnion("source", [
      z.strictObject({
        source: z.literal("wheels"),
        wheels: z.array(z.strictObject({ name: z.string(), version: z.string(), sha256 })).min(1),
        members: z.string(),
      }),
      z.strictObject({ source: z.literal("url"), url: z.string() }),
      z.strictObject({ source: z.literal("file"), path: z.string() }),
    ]),
    file: fileName,
    sha256,
  })
  .describe("The model, exactly");

const lockedDeployment = z
  .strictObject({
    id: sha256.describe("Digest of the rest: equal for equal releases in every environment"),
    backend: name,
    backendVersion: version,
    install: lockedInstall,
    model: lockedModel,
    runCommand: z.string().describe("Command template of the runner"),
    parameters: z.array(z.string()).describe("Arguments after the command"),
    env: environment,
    apiKeyVariable: z.string().optional().describe("Environment variable through which the engine takes its API key"),
    healthPath: z.string(),
  })
  .describe("What is deployed: the same in every environment");

const placedHost = z
  .strictObject({
    connection: z.literal("local"),
    dataDir: z.string().describe("Absolute, or relative to the project"),
    labels: z.record(z.string(), z.string()),
    pipxPath: z.string().optional(),
    facts: hostFacts,
    usage: hostUsage,
  })
  .describe("A host and what was known of it when the lock was solved");

const placedInstance = z
  .strictObject({
    deployment: name,
    host: name,
    devices: z.array(z.string()).describe("UUIDs of its accelerators"),
    runtime: z.enum(["systemd", "supervisord"]),
    port,
    bindAddress: z.string(),
    secretEnv: z.record(z.string(), z.string()).describe("Environment variable to the name of its secret"),
    minHealthySeconds: z.number(),
    healthyDeadlineSeconds: z.number(),
    stopSeconds: z.number(),
  })
  .describe("Where a replica runs");

export const lockFile = z
  .strictObject({
    lockVersion: z.literal(1).describe("Version of this format"),
    id: sha256.describe("Digest of release and placement without facts"),
    inputs: z
      .strictObject({ stack: sha256, backends: sha256 })
      .describe("Digests of what was solved; the lock is stale when they change"),
    release: z.record(name, lockedDeployment).describe("Promotable: what is deployed, by deployment"),
    placement: z
      .strictObject({
        indexUrl: z.string().optional().describe("Python package index of this environment"),
        hosts: z.record(name, placedHost),
        instances: z.record(name, placedInstance),
      })
      .describe("This environment's own: hosts, ports, devices"),
  })
  .describe("Berth lock file: what the planner resolved");

export type LockFile = z.output<typeof lockFile>;
export type LockedDeployment = z.output<typeof lockedDeployment>;
export type LockedModel = z.output<typeof lockedModel>;
export type PlacedHost = z.output<typeof placedHost>;
export type PlacedInstance = z.output<typeof placedInstance>;
export type Placement = LockFile["placement"];
