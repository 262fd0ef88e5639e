import { z } from "zod";

import { distribution, healthRequest, versionProbe } from "./backend.js";
import { placedSetup, placedVerification } from "./commands.js";
import { containerLimits, lockedContainer } from "./container-options.js";
import { dockerNetwork } from "./container-parts.js";
import { networks, volumes } from "./docker.js";
import { acceleratorType } from "./accelerator-type.js";
import { hostFacts, hostUsage } from "./facts.js";
import { placedGateway } from "./gateway.js";
import { sshTarget } from "./hosts.js";
import { lockedModel } from "./model.js";
import { placedMemory } from "./placement.js";
import {
  adoption,
  category,
  environment,
  imageDigest,
  name,
  port,
  publicRegistry,
  registry,
  registryHost,
  registryUser,
  sha256,
  version,
} from "./scalars.js";
import { lockedRunnerImage } from "./runner-image.js";
import { variable } from "./variable.js";
import { lockedFileSignature, lockedImageSignature } from "./signature.js";

const content = z.strictObject({
  file: z.string().describe("Path below a backends folder, or, for what the lock itself resolved, below stacks"),
  sha256,
});

const lockedPipx = z
  .strictObject({
    method: z.literal("pipx").describe("Installed by pipx"),
    package: z.string().describe("The Python package"),
    packageVersion: z.string().optional().describe("Its version, when it is not the backend's"),
    command: z.string().optional().describe("The package's command that is the engine"),
    python: z.string().optional().describe("Python versions that the package works with"),
    requirements: content.describe("The package and all it needs, with hashes"),
    request: sha256
      .optional()
      .describe(
        "Digest of what was asked for, when the lock itself resolved the requirements; another request is resolved anew",
      ),
    launcher: content.optional().describe("The module that is the engine's command"),
  })
  .describe("A Python environment, exactly");

const lockedBinary = z
  .strictObject({
    method: z.literal("binary").describe("A file of a release"),
    artifacts: z
      .array(
        z.strictObject({
          os: z.string().describe("Operating system"),
          arch: z.string().describe("Processor architecture"),
          url: z.string().describe("Where the file is"),
          sha256: sha256.describe("Its SHA-256"),
          sizeBytes: z.int().optional().describe("Its size, bytes"),
          executable: z.string().optional().describe("The executable in the archive; a plain file has none"),
          unpackedBytes: z.int().describe("Most that the archive may unpack to, bytes"),
          signature: lockedFileSignature.optional(),
        }),
      )
      .min(1)
      .describe("One file for each platform"),
    versionProbe: versionProbe.optional(),
  })
  .describe("A release's files, exactly");

const lockedManual = z
  .strictObject({
    method: z.literal("manual").describe("An executable that an administrator put on the host"),
    sha256: sha256.optional().describe("SHA-256 that it must have"),
    versionProbe: versionProbe.optional(),
  })
  .describe("An executable of the host's own");

/** Platforms of images that Berth runs on. */
export const imagePlatform = z.enum(["linux/amd64", "linux/arm64"]).describe("Platform of an image");

const imagePlatforms = z
  .partialRecord(
    imagePlatform,
    z.strictObject({
      digest: imageDigest.describe("Digest of the platform's image"),
      id: imageDigest.describe("Digest of its configuration, by which engines know what was loaded from an archive"),
      sizeBytes: z.int().min(0).optional().describe("What its layers have, packed, bytes"),
    }),
  )
  .describe("The images of the digest, by platform; told by its registry");

const lockedImage = z
  .strictObject({
    method: z.literal("image").describe("A container image"),
    reference: z.string().describe("The image"),
    digest: imageDigest.describe("Its digest, or its index's"),
    platforms: imagePlatforms.optional(),
    runnerImage: lockedRunnerImage.optional(),
    signature: lockedImageSignature.optional(),
  })
  .describe("A container image, exactly");

const lockedInstall = z
  .discriminatedUnion("method", [lockedPipx, lockedBinary, lockedManual, lockedImage])
  .describe("The artifact, exactly");

export const lockedDeployment = z
  .strictObject({
    id: sha256.describe("Digest of the rest: equal for equal releases in every environment"),
    backend: name,
    backendVersion: version,
    acceleratorType: acceleratorType
      .optional()
      .describe("Type of the accelerators that it is for, or cpu; locks of earlier versions do not tell"),
    tensorParallelSize: z.int().min(1).optional().describe("Devices of one instance, where the parameters told"),
    install: lockedInstall,
    model: lockedModel,
    entrypoint: z.string().optional().describe("Entrypoint template: what comes before the command"),
    runCommand: z.string().describe("Command template of the runner"),
    parameters: z.array(z.string()).describe("Arguments after the command"),
    env: environment,
    projectorFlag: z.string().optional().describe("Flag by which the engine is given the model's projector"),
    apiKeyVariable: z.string().optional().describe("Environment variable through which the engine takes its API key"),
    healthPath: z.string().describe("HTTP path that answers 2xx when the engine is up"),
    healthRequest: healthRequest.optional(),
    stopSeconds: z
      .number()
      .optional()
      .describe("How long its engine may take to stop, seconds, where its backend says"),
    category: category.optional().describe("What the model does, when it is not a language model"),
    container: lockedContainer.optional(),
    servedModel: z.string().optional().describe("Name under which it is served, when it is not the deployment's"),
    distributed: distribution.optional(),
  })
  .describe("What is deployed: the same in every environment");

export const lockedPreload = z
  .strictObject({
    engine: z
      .strictObject({ backend: name, backendVersion: version, install: lockedInstall })
      .optional()
      .describe("The backend version, exactly"),
    model: lockedModel.optional(),
  })
  .describe("What lies ready before a deployment wants it: the same in every environment");

const placedPreload = z
  .strictObject({
    hosts: z.array(name).describe("The hosts on which it lies"),
    modelToken: z.string().optional().describe("Name of the secret with which its model is fetched"),
  })
  .describe("Where something lies ready");

const placedHost = z
  .strictObject({
    connection: z.enum(["local", "ssh"]).describe("How the host is reached"),
    ssh: sshTarget.optional(),
    dataDir: z.string().describe("Absolute, or relative to the project"),
    labels: z.record(z.string(), z.string()).describe("Labels, name to value"),
    binDir: z.string().optional().describe("Folder of executables; absolute, or relative to the project"),
    pipxPath: z.string().optional().describe("pipx to use"),
    retention: z.int().optional().describe("Versions of a backend whose downloads are kept when nobody wants them"),
    setup: z.record(name, placedSetup).optional().describe("Commands that prepare the host, by name"),
    networks: networks.optional(),
    volumes: volumes.optional(),
    privateAddress: z.string().optional().describe("Its address in the network that the hosts share"),
    images: z.literal("neverPull").optional().describe("Nothing is pulled there: images are brought by hand"),
    gateway: z
      .strictObject({
        haproxy: z.string().describe("HAProxy's executable"),
        runtime: z.enum(["systemd", "supervisord"]).describe("What keeps it alive"),
      })
      .optional()
      .describe("What clients ask instead of the runners that have slots"),
    facts: hostFacts,
    usage: hostUsage,
  })
  .describe("A host and what was known of it when the lock was solved");

const replicaName = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?-\d{1,4}$/, { error: "expected DEPLOYMENT-NUMBER" })
  .describe("A deployment's name and the number of a replica");

const placedSubordinate = z
  .strictObject({
    host: name,
    ray: z
      .enum(["head", "member"])
      .optional()
      .describe(
        "What it is in the instance's Ray cluster; the head is on the primary's host. Without it: an RPC server",
      ),
    devices: z.array(z.string()).describe("UUIDs of its accelerators; none where it has the host's memory"),
    memory: placedMemory.optional(),
    runtime: z.enum(["systemd", "supervisord"]).describe("What keeps it alive"),
    port: port.describe(
      "Where others reach it, at its host's private address: a head's port is that of its control store",
    ),
    serverPort: port
      .optional()
      .describe("Where its server listens on loopback; without it the server itself is at the private address"),
    haproxy: z
      .string()
      .optional()
      .describe("HAProxy's executable, which stands before the server and admits nobody but the primary's host"),
  })
  .describe("What an instance has on another host");

const placedInstance = z
  .strictObject({
    deployment: name,
    host: name,
    devices: z.array(z.string()).describe("UUIDs of its accelerators"),
    memory: placedMemory.optional(),
    arguments: z
      .array(z.string())
      .optional()
      .describe("Arguments that follow from its devices, after the parameters of its release"),
    subordinates: z
      .array(placedSubordinate)
      .min(1)
      .optional()
      .describe("What it has on other hosts, in the order in which it names them; its own host is the primary"),
    runtime: z.enum(["systemd", "supervisord", "docker"]).describe("What keeps the runner alive"),
    port,
    slots: z
      .tuple([port, port])
      .optional()
      .describe(
        "Ports of its runners behind the host's gateway, the old and the new one; without them it serves itself",
      ),
    bindAddress: z.string().describe("Address to serve on"),
    secretEnv: z.record(variable, z.string()).describe("Environment variable to the name of its secret"),
    modelToken: z.string().optional().describe("Name of the secret with which its model is fetched"),
    minHealthySeconds: z.number().describe("How long the runner must stay healthy before it counts, seconds"),
    healthyDeadlineSeconds: z.number().describe("How long the runner may take to become healthy, seconds"),
    stopSeconds: z.number().describe("How long the runner may take to stop before it is killed, seconds"),
    drainSeconds: z
      .number()
      .optional()
      .describe("How long requests in progress may take to end on a runner that was replaced, seconds; with slots"),
    adopt: adoption.optional().describe("What is done about a runner that the state does not know"),
    networks: z.array(dockerNetwork).optional().describe("Docker's names of the networks that its container joins"),
    limits: containerLimits.optional(),
    maxSurge: z.int().optional().describe("How many replicas of its deployment are updated blue/green at a time"),
    maxUnavailable: z.int().optional().describe("How many replicas of its deployment are without a runner at a time"),
    verify: z.record(name, placedVerification).optional().describe("Commands that check what is served, by name"),
  })
  .describe("Where a replica runs");

const placedRollout = z
  .strictObject({
    waves: z
      .array(z.array(name))
      .describe("The hosts that have instances: each wave begins when those before it are done"),
    pauseSeconds: z.number().describe("How long a wave waits after those before it, seconds"),
    maxFailures: z.int().describe("So many instances may fail without stopping the others"),
  })
  .describe("In which order hosts change");

export const lockFile = z
  .strictObject({
    lockVersion: z.literal(1).describe("Version of this format"),
    id: sha256.describe("Digest of release and placement without facts"),
    inputs: z
      .strictObject({ stack: sha256, backends: sha256 })
      .describe("Digests of what was solved; the lock is stale when they change"),
    release: z.record(name, lockedDeployment).describe("Promotable: what is deployed, by deployment"),
    preload: z.record(name, lockedPreload).optional().describe("Promotable too: what lies ready, by the stack's name"),
    placement: z
      .strictObject({
        indexUrl: z.string().optional().describe("Python package index of this environment"),
        downloadBaseUrl: z.string().optional().describe("Where this environment's releases are downloaded from"),
        hubEndpoint: z.string().optional().describe("Where this environment's hub models are fetched from"),
        registries: z
          .record(publicRegistry, registry)
          .optional()
          .describe("Where this environment's container images are pulled from, by their public registry"),
        registryLogins: z
          .record(
            registryHost,
            z.strictObject({
              username: registryUser,
              password: z.string().describe("Name of the secret that is the password"),
            }),
          )
          .optional()
          .describe("Who logs in to registries: users, and the names of the secrets that are their passwords"),
        hosts: z.record(name, placedHost).describe("The machines, by name"),
        instances: z.record(replicaName, placedInstance).describe("The replicas, as DEPLOYMENT-NUMBER"),
        preload: z.record(name, placedPreload).optional().describe("Where it lies ready, by the stack's name"),
        rollout: placedRollout.optional(),
        gateway: placedGateway.optional(),
      })
      .describe("This environment's own: hosts, ports, devices"),
  })
  .describe("Berth lock file: what the planner resolved");

/** What of a lock is the same in every environment. */
export type Promotable = Pick<LockFile, "release" | "preload">;
export type ImagePlatforms = z.output<typeof imagePlatforms>;
export type LockFile = z.output<typeof lockFile>;
export type LockedDeployment = z.output<typeof lockedDeployment>;
export type LockedInstall = LockedDeployment["install"];
/** A backend version, exactly. */
export type LockedEngine = Pick<LockedDeployment, "backend" | "backendVersion" | "install">;
export type LockedPreload = z.output<typeof lockedPreload>;
export type PlacedPreload = z.output<typeof placedPreload>;
export type PlacedHost = z.output<typeof placedHost>;
export type PlacedInstance = z.output<typeof placedInstance>;
export type PlacedSubordinate = z.output<typeof placedSubordinate>;
export type PlacedRollout = z.output<typeof placedRollout>;
export type Placement = LockFile["placement"];
