import { z } from "zod";

import { capabilities, containerPath, engineText, stopSignal, ulimit, user } from "./container-parts.js";
import { ofRelease } from "./ownership.js";
import { byteSize, byteSizeBytes, name } from "./scalars.js";

/** A limit of memory: a size, or none. */
const sizeLimit = z.union([byteSize, z.literal("unlimited")], {
  error: 'expected a size with its unit, such as "64MiB", or unlimited',
});

function atLeast(least: string) {
  return byteSize.refine((text) => byteSizeBytes(text) >= byteSizeBytes(least), {
    error: `expected at least ${least}`,
  });
}

/** What a backend, a version and a deployment may all say; the later count. */
const commonOptions = {
  shmSize: ofRelease(
    byteSize
      .optional()
      .describe("Most that shared memory may take, as `10GiB`; it is taken as it is used. Default 10GiB"),
  ),
  ulimits: ofRelease(
    z
      .strictObject({
        memlock: sizeLimit
          .optional()
          .describe("Memory that may be locked, as `64MiB`. Default: unlimited with devices, else the engine's"),
        stack: sizeLimit
          .optional()
          .describe("Stack of a thread, as `64MiB`. Default: 64MiB with devices, else the engine's"),
        nofile: z.int().min(1).optional().describe("Open files. Default: the engine's"),
      })
      .optional()
      .describe("Limits of its processes, limit by limit"),
  ),
  user: ofRelease(user.optional()),
  stopSignal: ofRelease(stopSignal.optional()),
  capAdd: ofRelease(capabilities.optional()),
};

/** What a person may say of a deployment's container. */
export const deploymentContainer = z
  .strictObject({
    ...commonOptions,
    memory: atLeast("6MiB")
      .optional()
      .describe("Most memory that it may use, without swap, as `64GiB`. Default: no limit"),
    cpus: z.number().min(0.01).max(10_000).optional().describe("Processors that it may use at once. Default: all"),
    ipc: ofRelease(
      z
        .enum(["private", "host"])
        .optional()
        .describe(
          "Whose shared memory it is. `host` only where the parameters give a tensor parallel size above 1. Default private",
        ),
    ),
    logs: z
      .strictObject({
        maxSize: atLeast("1KiB").optional().describe("Size at which a new file is begun, as `50MiB`. Default 50MiB"),
        files: z.int().min(1).max(100).optional().describe("Files that are kept. Default 3"),
      })
      .optional()
      .describe("What of its output the engine keeps"),
    networks: z
      .array(name)
      .min(1)
      .refine((list) => new Set(list).size === list.length, { error: "expected each network once" })
      .optional()
      .describe("Networks of its host, by their names there, that it joins instead of the engine's bridge"),
  })
  .describe(
    "The container, for a deployment that is installed as an image; what is said here counts before the backend's",
  );

/** What a backend's file may say of its container. */
export const backendContainer = z
  .strictObject({
    ...commonOptions,
    cachePath: containerPath
      .optional()
      .describe(
        "Where the engine keeps what it finds again after a restart, such as /root/.cache; a folder of the host",
      ),
    privileged: z
      .strictObject({ why: engineText.min(1).describe("Why nothing less will do; shown on the container") })
      .optional()
      .describe("Makes the container root on the host. Default: it is not"),
  })
  .describe("The container of its images; a version's counts before the backend's, field by field");

const limits = {
  memoryBytes: z.int().optional().describe("Most memory that it may use, bytes"),
  cpus: z.number().optional().describe("Processors that it may use at once"),
  logs: z
    .strictObject({
      maxBytes: z.int().optional().describe("Size at which a new file is begun, bytes"),
      files: z.int().optional().describe("Files that are kept"),
    })
    .optional()
    .describe("What of its output the engine keeps"),
};

/** What of its host a container may take: what a lock's placement keeps. */
export const containerLimits = z.strictObject(limits).describe("What of its host its container may take");

/** The two together, with sizes in bytes: what a lock's release keeps. */
export const lockedContainer = z
  .strictObject({
    shmBytes: z.int().optional().describe("Most that shared memory may take, bytes"),
    ulimits: z
      .strictObject({
        memlock: ulimit.optional().describe("Memory that may be locked, bytes"),
        stack: ulimit.optional().describe("Stack of a thread, bytes"),
        nofile: z.int().optional().describe("Open files"),
      })
      .optional()
      .describe("Limits of its processes"),
    user: user.optional(),
    stopSignal: stopSignal.optional(),
    capAdd: capabilities.optional(),
    ipc: z.enum(["private", "host"]).optional().describe("Whose shared memory it is"),
    cachePath: containerPath.optional().describe("Where the engine keeps what it finds again after a restart"),
    privileged: z
      .strictObject({ why: z.string().describe("Why nothing less will do") })
      .optional()
      .describe("Makes the container root on the host"),
    // Earlier versions had them here.
    ...limits,
  })
  .describe("What is said of its container");

export type DeploymentContainer = z.output<typeof deploymentContainer>;
export type BackendContainer = z.output<typeof backendContainer>;
export type LockedContainer = z.output<typeof lockedContainer>;
export type ContainerLimits = z.output<typeof containerLimits>;
