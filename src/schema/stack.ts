import { z } from "zod";

import { installMethods } from "./backend.js";
import { verifyCommands } from "./commands.js";
import { deploymentContainer } from "./container-options.js";
import { gatewayEntry } from "./gateway.js";
import { expandHosts, hostPattern, writtenHost, type HostEntry } from "./hosts.js";
import { modelSource } from "./model.js";
import { ofRelease } from "./ownership.js";
import { placementEntry } from "./placement.js";
import { preloadEntry } from "./preload.js";
import { rolloutEntry } from "./rollout.js";
import { runnerImageChoice } from "./runner-image.js";
import {
  adoption,
  category,
  duration,
  environment,
  folderUrl,
  indexUrl,
  name,
  port,
  publicRegistry,
  registry,
  registryHost,
  registryUser,
  secretReference,
} from "./scalars.js";
import { variable } from "./variable.js";
import { hostSelector } from "./selector.js";
import { versionConstraint } from "./version-range.js";

const replicaCount = z.int().min(1).max(1000);

export const updateEntry = z
  .strictObject({
    minHealthyTime: duration.default(10).describe("How long a runner must stay healthy before it counts. Default 10s"),
    healthyDeadline: duration.default(300).describe("How long a runner may take to become healthy. Default 5m"),
    stopTimeout: duration
      .optional()
      .describe("How long a runner may take to stop before it is killed. Default: what its backend says, else 10s"),
    strategy: z
      .enum(["blueGreen", "recreate"])
      .optional()
      .describe(
        "`blueGreen`: the new runner starts beside the old one, which serves until the new one is healthy; the host needs a gateway and memory for both. `recreate`: the old one is stopped first. Default: blueGreen where `resources` tells that both fit and the host has a gateway, else recreate",
      ),
    drainTimeout: duration
      .optional()
      .describe(
        "How long requests in progress may take to end on a runner that a new one has replaced, with blueGreen. Default 60s",
      ),
    maxSurge: replicaCount
      .default(1)
      .describe("How many replicas may have a new runner beside the old one at a time, with blueGreen. Default 1"),
    maxUnavailable: replicaCount
      .default(1)
      .describe("How many replicas may be without a runner at a time, with recreate. Default 1"),
  })
  .refine(({ minHealthyTime, healthyDeadline }) => minHealthyTime <= healthyDeadline, {
    error: "expected a minHealthyTime that is over before the healthyDeadline",
  })
  .describe("How a deployment changes; Nomad's names and meanings");

const bytes = z.int().min(0);

export const resourcesEntry = z
  .strictObject({
    ramBytes: bytes.optional().describe("Memory of the host, bytes"),
    vramBytes: bytes.optional().describe("Memory of an accelerator, bytes; on a host without one its own"),
  })
  .describe("What one runner of the deployment needs");

/** A deployment, field by field. */
export const deploymentFields = z.strictObject({
  backend: ofRelease(
    name.describe(
      "Name of the inference engine: a file in backends/. `auto` chooses by the model; `custom` takes what this deployment says itself",
    ),
  ),
  backendVersion: ofRelease(
    versionConstraint
      .optional()
      .describe(
        'A release of the backend, or a constraint that the lock resolves to one: "0.19.0", "0.19.x", ">=0.10 <0.12". Default: the backend file\'s default version',
      ),
  ),
  prefer: ofRelease(
    z
      .literal("llama-box")
      .optional()
      .describe("With `backend: auto`: the engine to take for GGUF models instead of llama-cpp"),
  ),
  install: ofRelease(
    z
      .enum(installMethods)
      .optional()
      .describe(
        "How the backend version is installed. Default: the first that fits the host: binary, pipx, image, manual. `manual` needs nothing of the backend's file: an administrator put the version there",
      ),
  ),
  imageName: ofRelease(
    z
      .string()
      .regex(/^[a-z0-9][A-Za-z0-9._:/-]{0,300}(?:@sha256:[0-9a-f]{64})?$/, {
        error: "expected an image reference, such as registry/repository:tag, with or without @sha256: and 64 digits",
      })
      .optional()
      .describe(
        "Container image of this deployment alone, instead of the backend version's. `backendVersion` then names a version exactly; default: the one that the tag names, else the backend's default version",
      ),
  ),
  runnerImage: ofRelease(runnerImageChoice.optional()),
  entrypoint: ofRelease(
    z.string().min(1).optional().describe("Container entrypoint of this deployment alone; split the POSIX way"),
  ),
  runCommand: ofRelease(
    z.string().optional().describe("Arguments of the runner for this deployment alone, with placeholders"),
  ),
  category: ofRelease(category.optional().describe("What the model does. Default: what its files tell, else llm")),
  architecture: ofRelease(
    z
      .string()
      .optional()
      .describe("The model's architecture, as its configuration names it; a backend version may serve only some"),
  ),
  model: ofRelease(modelSource),
  contextLength: ofRelease(
    z
      .int()
      .min(16)
      .optional()
      .describe(
        "Tokens of context that the engine reserves. Default: 8192 for models that generate text, else the model's",
      ),
  ),
  parameters: ofRelease(
    z.array(z.string()).optional().describe("Arguments for the engine; they replace the backend's default parameters"),
  ),
  extraParameters: ofRelease(z.array(z.string()).default([]).describe("Arguments for the engine, after all others")),
  env: ofRelease(environment.default({}).describe("Environment of the runner; overrides the backend's")),
  secretEnv: z.record(variable, secretReference).default({}).describe("Environment variables whose values are secrets"),
  replicas: replicaCount
    .optional()
    .describe(
      "How many instances there are. They are placed on hosts that fit, as `placement` says, and stay where they are. Default: 1",
    ),
  host: name.optional().describe("The one host to run on. Default: placement chooses of those that fit"),
  hostSelector: hostSelector
    .optional()
    .describe(
      "Labels that the host must have: a value, a list of values of which it has one, { notIn: [...] } or { exists: true }. `os`, `arch`, `accelerator` (its type, or cpu) and `gpu` (its product, such as h100) are there by themselves. Default: the backend's",
    ),
  port: port
    .optional()
    .describe(
      "The port to serve on, of at most one replica on each host. Default: the lock chooses one of the host's portRange and keeps it",
    ),
  bindAddress: z
    .union([z.ipv4(), z.ipv6()], { error: "expected an IP address" })
    .default("127.0.0.1")
    .describe("The address to serve on. Default: loopback. Another address needs `apiKey` or `insecure: true`"),
  apiKey: secretReference
    .optional()
    .describe("Key that clients must send. Given to the runner by its environment, never as an argument"),
  insecure: z.boolean().default(false).describe("Allows an address other than loopback without a key"),
  update: updateEntry.prefault({}),
  adopt: adoption
    .optional()
    .describe(
      "What is done about a runner that is on the host already and that the state does not know. `ifLabelled`: one of this stack's own goes on, without a restart when it is as wanted; somebody else's container is refused. `never`: its own is refused too. `always`: somebody else's container is replaced. Default ifLabelled",
    ),
  container: deploymentContainer.optional(),
  placement: placementEntry.prefault({}),
  resources: resourcesEntry.optional(),
  verify: verifyCommands.optional(),
});

export const deploymentEntry = deploymentFields
  .superRefine(refuseOtherInstalls)
  .describe("A model served by a backend version");

/** A runner image is a way to install, of which there is one. */
function refuseOtherInstalls(
  entry: { runnerImage?: object | undefined; imageName?: string | undefined; install?: string | undefined },
  context: z.RefinementCtx,
): void {
  const { runnerImage, imageName, install } = entry;
  const refuse = (message: string) => {
    context.addIssue({ code: "custom", path: ["runnerImage"], message, input: runnerImage });
  };
  if (runnerImage === undefined) return;
  if (imageName !== undefined) refuse("expected no `imageName` beside it, which is another image");
  if (install !== undefined && install !== "image") refuse(`expected no \`install: ${install}\` beside it`);
}

export const mirrors = z
  .strictObject({
    pip: indexUrl
      .optional()
      .describe("Python package index (the address that ends in /simple). Default: pip's own configuration"),
    downloadBaseUrl: folderUrl
      .optional()
      .describe(
        "Where releases are downloaded from, instead of the host in their address, as https://files.example.net/tools",
      ),
    huggingface: folderUrl
      .optional()
      .describe(
        "Mirror of the Hugging Face Hub, for models without an `endpoint` of their own. Default: https://huggingface.co",
      ),
    registries: z
      .record(publicRegistry, registry)
      .optional()
      .describe(
        "Registries of container images, or folders of them, each with what takes its place, as `docker.io: registry.example.net/hub`. Of several that fit the longest counts",
      ),
  })
  .describe("Where downloads come from instead of their public places");

const registryLogin = z
  .strictObject({ username: registryUser, password: secretReference })
  .describe("A user of a registry, and the secret that is the user's password or token");

/** Of a file beside others. */
export const stackFileName = z.string().regex(/^[a-z0-9][A-Za-z0-9._-]{0,100}\.ya?ml$/, {
  error: "expected the name of a stack file, such as base.yaml",
});

/** A stack file as it is written: hosts by ranges of names, and what they have in common apart. */
export const writtenStack = z
  .strictObject({
    schemaVersion: z.literal(1).describe("Version of this format"),
    extends: stackFileName
      .optional()
      .describe(
        "The stack file that this one says something over, in the same folder: maps merge, scalars and lists replace, an empty value takes away. Hosts are not inherited",
      ),
    hostDefaults: writtenHost
      .optional()
      .describe(
        "What the hosts have in common; what a host says itself counts. `ssh`, `labels`, `setup`, `networks` and `volumes` merge by key",
      ),
    hosts: z
      .record(hostPattern, writtenHost)
      .refine((hosts) => Object.keys(hosts).length > 0, { error: "expected at least one host" })
      .describe("The machines, by name; `gpu-[01-24]` stands for 24 of them"),
    mirrors: mirrors.prefault({}),
    registryLogins: z
      .record(registryHost, registryLogin)
      .optional()
      .describe(
        "Logins of container registries, by registry: for the lock, which asks for digests, and for hosts, which pull. Of a registry that has a mirror it is the mirror's that counts. Default: what `docker login` left on each machine",
      ),
    deployments: z
      .record(name, deploymentEntry)
      .default({})
      .describe("The services, by name; the name is also the model name that clients send"),
    preload: z
      .record(name, preloadEntry)
      .default({})
      .describe("What lies ready on hosts before a deployment wants it, by names of your choice"),
    rollout: rolloutEntry.optional(),
    gateway: gatewayEntry.optional(),
  })
  .describe("Berth stack file: the desired state of one environment");

export const stackFile = writtenStack
  .transform(({ extends: _, hostDefaults, hosts, ...rest }, context) => {
    const { expanded, problems } = expandHosts(hosts, hostDefaults);
    for (const { path, message, input } of problems) {
      context.issues.push({ code: "custom", path: ["hosts", ...path], message, input });
    }
    return { ...rest, hosts: expanded };
  })
  .describe(writtenStack.description ?? "");

/** A stack file, parsed: defaults applied, durations in seconds, one entry for each host. */
export type StackFile = z.output<typeof stackFile>;
export type { HostEntry };
export type DeploymentEntry = z.output<typeof deploymentEntry>;
export type SecretReference = z.output<typeof secretReference>;
