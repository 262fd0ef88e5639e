/** Where a deployment's replicas may go, and what a placement has decided of their memory. */
import { z } from "zod";

import { name } from "./scalars.js";

const bytes = z.int().min(0);

export const placementEntry = z
  .strictObject({
    strategy: z
      .enum(["spread", "binpack"])
      .default("spread")
      .describe(
        "`spread`: replicas on different hosts, then on the hosts with the most room. `binpack`: on devices that are used already, then on the fullest hosts. Default spread",
      ),
    priority: z
      .int()
      .min(-1000)
      .max(1000)
      .default(0)
      .describe("Deployments of a greater priority have a place first. Default 0"),
    apartFrom: z
      .array(name)
      .default([])
      .describe("Deployments with which it shares no host; its own name keeps its replicas on different hosts"),
    devices: z
      .record(name, z.array(z.string().min(1)).min(1))
      .optional()
      .describe("The only hosts and devices that it may have: by host the identities that `berth facts` tells"),
    cpuOffload: z
      .boolean()
      .default(false)
      .describe(
        "Whether layers that fit on no device may stay in the host's memory, with engines that can do so. Default false",
      ),
    distributed: z
      .boolean()
      .default(false)
      .describe(
        "Whether a replica may have memory of several hosts where no single one has room, with backends that can do so. Default false",
      ),
    maxHosts: z
      .int()
      .min(2)
      .max(16)
      .default(4)
      .describe("The most hosts that one replica has, with `distributed`. Default 4"),
    insecure: z
      .boolean()
      .default(false)
      .describe(
        "Allows subordinates on hosts without HAProxy, where anybody who reaches their port can use them. Default false",
      ),
  })
  .refine(({ distributed, devices }) => !distributed || devices === undefined, {
    error: "expected no `devices` beside `distributed: true`: the lock chooses them",
    path: ["devices"],
  })
  .describe("Where the replicas of a deployment may go");

const placedDeviceMemory = z.strictObject({
  device: z.string().describe("Identity of the device"),
  weightsBytes: bytes.describe("The model's weights"),
  cacheBytes: bytes.describe("Keys and values of tokens, as much as the engine reserves"),
  otherBytes: bytes.describe("Intermediate results, graphs, drivers and libraries"),
  takenBytes: bytes.describe("What the placement counts as taken: at least the sum of the others"),
});

export const placedMemory = z
  .strictObject({
    option: z
      .string()
      .describe("The way it runs: tp4 on four devices, layers24 with so many of them on devices, cpu without"),
    basis: z
      .enum(["estimate", "stated", "whole"])
      .describe("Known from the model's headers; from `resources`; or not at all, so that it has its devices alone"),
    devices: z.array(placedDeviceMemory).describe("Each of its devices"),
    hostBytes: bytes.describe("Memory of the host"),
  })
  .describe("What a replica takes of its host and its devices");

export const usedMemory = z
  .strictObject({
    hostBytes: bytes.optional().describe("Of the host's memory, with what it maps of files; left out where not told"),
    devices: z
      .array(z.strictObject({ device: z.string().describe("Identity of the device"), bytes: bytes.describe("Bytes") }))
      .describe("Of each device's memory; without those whose tool does not tell"),
    at: z.iso.datetime().describe("When it was looked at"),
  })
  .describe("What a runner had of its host and its devices when it was verified");

export type PlacementEntry = z.output<typeof placementEntry>;
export type PlacedMemory = z.output<typeof placedMemory>;
export type UsedMemory = z.output<typeof usedMemory>;
