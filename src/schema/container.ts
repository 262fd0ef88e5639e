import { z } from "zod";

import {
  capabilities,
  containerPath,
  dockerNetwork,
  engineText,
  logRotation,
  stopSignal,
  ulimit,
  user,
} from "./container-parts.js";
import { port } from "./scalars.js";
import { variable } from "./variable.js";

const ids = listOf(
  z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/, { error: "expected the identity of a device" }),
).describe("Their identities, as facts tell them: UUIDs where the vendor has them, else PCI bus ids or indexes");

/** Neither indexes, which change, nor the word `all`. */
const nvidiaIds = listOf(
  z.string().regex(/^(?:GPU|MIG)-[A-Za-z0-9/-]{1,120}$/, { error: "expected the UUID of a GPU or a MIG device" }),
).describe("Their UUIDs");

const indexes = listOf(z.int().min(0).max(255)).describe(
  "The numbers that the host's driver gives them now, in the order of `ids`",
);

function listOf<Item extends z.ZodType>(item: Item) {
  return z
    .array(item)
    .min(1)
    .refine((list) => new Set(list).size === list.length, { error: "expected each device once" });
}

const deviceFile = z
  .string()
  .regex(/^\/dev\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.:-]+(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.:-]+)*$/, {
    error: "expected a path below /dev, such as /dev/dri/renderD128",
  });

const deviceFiles = z.array(deviceFile);

const groups = z
  .array(
    z
      .int()
      .min(0)
      .max(2 ** 31 - 1),
  )
  .default([])
  .describe("Numbers of the host's groups that own them, for a user other than root");

/** Only the devices that are named, in the form that their type has. Rules and sources: `runtime/container-devices.ts`. */
const devices = z
  .discriminatedUnion("form", [
    z
      .strictObject({
        form: z.literal("request").describe("By the engine's own support of NVIDIA's Container Toolkit"),
        acceleratorType: z.literal("cuda").describe("Accelerator type"),
        ids: nvidiaIds,
      })
      .describe("NVIDIA's GPUs and MIG devices, by UUID"),
    z
      .strictObject({
        form: z.literal("cdi").describe("By CDI, which Docker 25 and later can have on"),
        acceleratorType: z.literal("cuda").describe("Accelerator type"),
        ids: nvidiaIds,
      })
      .describe("NVIDIA's GPUs and MIG devices, by UUID"),
    z
      .strictObject({
        form: z.literal("drmNodes").describe("By the device files of the kernel's graphics drivers"),
        acceleratorType: z.enum(["rocm", "dtk", "maca"]).describe("Accelerator type"),
        ids,
        nodes: deviceFiles
          .min(1)
          .describe("Device files of exactly these, such as /dev/dri/renderD128, and the type's optional ones"),
        groups: groups.describe(
          "Numbers of the host's groups that own them, for a user other than root. Default: video alone",
        ),
      })
      .describe("Cards that a container is given as device files without a number of the card's own"),
    z
      .strictObject({
        form: z.literal("numberedNodes").describe("By device files that have the card's number"),
        acceleratorType: z.enum(["cann", "corex", "hggc", "neuware"]).describe("Accelerator type"),
        ids,
        indexes,
        nodes: deviceFiles.default([]).describe("The type's optional device files, as far as the host has them"),
      })
      .refine(isPaired, { path: ["indexes"], error: "expected one index for each of `ids`" })
      .describe("Cards that a container is given as numbered device files"),
    z
      .strictObject({
        form: z.literal("vendorRuntime").describe("By the vendor's own container runtime"),
        acceleratorType: z.literal("musa").describe("Accelerator type"),
        ids,
        indexes,
      })
      .refine(isPaired, { path: ["indexes"], error: "expected one index for each of `ids`" })
      .describe("Cards that a container is given by a runtime that reads a variable"),
    z
      .strictObject({
        form: z.literal("declaredNodes").describe("As the type's own file in `backends/runners` says"),
        ids,
        nodes: deviceFiles.min(1).describe("Device files of exactly these, and those that all of the type share"),
        groups,
        driverFiles: z.array(containerPath).default([]).describe("What of the host's driver it is given to read"),
        variable: variable
          .optional()
          .describe("Variable that tells programs which of the container's devices are theirs"),
      })
      .describe("Cards of a type that Berth's own code does not know"),
  ])
  .describe("Accelerators that the container is given; none without it");

function isPaired({ ids, indexes }: { readonly ids: readonly string[]; readonly indexes: readonly number[] }): boolean {
  return ids.length === indexes.length;
}

/**
 * Limits of a container with devices where nobody says otherwise: drivers pin memory, as NVIDIA's images ask for. Others
 * have the engine's own, because an engine without root's rights can raise none.
 */
export const defaultDeviceUlimits = { memlock: "unlimited", stack: 64 * 2 ** 20 } as const;

/** A container's shared memory where nobody says otherwise; memory is taken as it is used. */
export const defaultShmBytes = 10 * 2 ** 30;

const mount = z
  .strictObject({
    source: containerPath.describe("Folder or file of the host; it has to be there"),
    target: containerPath.describe("Where it is in the container"),
    readOnly: z.boolean().default(true).describe("Whether the container can only read it. Default true"),
  })
  .describe("A folder or file of the host");

/** What a runner's container is, beside the argument vector and environment that every runner has. */
export const containerSettings = z
  .strictObject({
    image: z
      .string()
      .regex(/^[a-z0-9][A-Za-z0-9._:/-]{0,300}@sha256:[0-9a-f]{64}$/, { error: "expected NAME@sha256: and 64 digits" })
      .describe("The image by its digest, as NAME@sha256:..."),
    entrypoint: z.array(engineText).min(1).optional().describe("Entrypoint. Default: the image's own"),
    containerPort: port.describe("Port inside the container, which the runner's port leads to"),
    mounts: z.array(mount).default([]).describe("Folders and files of the host inside the container"),
    cache: z
      .strictObject({
        source: containerPath.describe("Folder of the host"),
        target: containerPath.describe("Where it is in the container"),
      })
      .optional()
      .describe("Folder that the engine may write to, and finds again after a restart. Default: none"),
    devices: devices.optional(),
    shmBytes: z
      .int()
      .min(1)
      .optional()
      .describe("Most that shared memory may take, bytes. Default: 10 GiB; the host's with `ipc: host`"),
    ipc: z
      .enum(["private", "host"])
      .default("private")
      .describe(
        "Whose shared memory it is. `host` is for one runner on several devices that needs it. Default private",
      ),
    ulimits: z
      .strictObject({
        memlock: ulimit.optional().describe("Memory that may be locked, bytes. Default: unlimited with devices"),
        stack: ulimit.optional().describe("Stack of a thread, bytes. Default: 64 MiB with devices"),
        nofile: z.int().min(1).optional().describe("Open files"),
      })
      .default({})
      .describe("Limits of its processes. Default: those of the engine"),
    user: user.optional(),
    cpus: z.number().min(0.01).max(10_000).optional().describe("Processors that it may use at once. Default: all"),
    memoryBytes: z
      .int()
      .min(6 * 2 ** 20)
      .optional()
      .describe("Most memory that it may use, without swap, bytes. Default: no limit"),
    networks: z
      .array(dockerNetwork)
      .default([])
      .describe("Docker's names of networks that it joins instead of the engine's bridge; several need Docker 25"),
    logs: logRotation.prefault({}),
    stopSignal: stopSignal.optional(),
    capAdd: capabilities.default([]),
    privileged: z
      .strictObject({ why: engineText.min(1).describe("Why it has to be, as the backend's file says") })
      .optional()
      .describe("Makes the container root on the host. Default: it is not"),
  })
  .refine(({ ipc, shmBytes }) => ipc === "private" || shmBytes === undefined, {
    path: ["shmBytes"],
    error: "expected no size with `ipc: host`, because the host's shared memory has its own",
  })
  .refine(({ privileged, capAdd }) => privileged === undefined || capAdd.length === 0, {
    path: ["capAdd"],
    error: "expected none for a privileged container, which has all of them",
  })
  .refine(({ mounts, cache }) => hasEachOnce([...mounts, ...(cache === undefined ? [] : [cache])]), {
    path: ["mounts"],
    error: "expected each place in the container once",
  })
  .describe("What a runner's container is");

function hasEachOnce(mounts: readonly { readonly target: string }[]): boolean {
  return new Set(mounts.map(({ target }) => target)).size === mounts.length;
}

/** Whose container it is, and what it was made for. Labels tell it to everyone who may ask the engine. */
const containerIdentity = z
  .strictObject({
    owner: engineText.describe("Whose stack it is, as project/stack"),
    instance: engineText.describe("Name of the instance"),
    deployment: engineText.describe("The deployment that it is a replica of"),
    host: engineText.describe("Name of the host in the stack"),
    dataDir: engineText.describe("The host's data directory that it belongs to"),
    generation: engineText.describe("Equal for what runs equally"),
  })
  .describe("Whose container it is");

/** All that a runner's container is made from. */
export const containerSpec = z.strictObject({
  settings: containerSettings,
  argv: z.array(engineText).readonly().describe("Arguments after the entrypoint"),
  environment: z.record(variable, engineText).readonly().describe("Environment of the runner, secrets too"),
  identity: containerIdentity,
  bindAddress: z.union([z.ipv4(), z.ipv6()]).describe("Address of the host that the port is published on"),
  port: port.describe("Port of the host"),
  stopSeconds: z.number().min(0).describe("How long it may take to stop before it is killed, seconds"),
});

/** What a runner is given as a container, beside what every runner has. */
export const runnerContainer = containerSpec
  .pick({ settings: true, identity: true, bindAddress: true, port: true })
  .extend({ imageId: z.string().describe("The engine's id of the image, by which it knows also what was loaded") });

export type RunnerContainer = z.output<typeof runnerContainer>;
export type ContainerSettings = z.output<typeof containerSettings>;
export type ContainerDevices = NonNullable<ContainerSettings["devices"]>;
export type ContainerIdentity = z.output<typeof containerIdentity>;
export type ContainerSpec = z.output<typeof containerSpec>;
