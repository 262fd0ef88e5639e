/** What `berth plan --format json` prints: all that an `up` would change, with where everything then is. */
import { z } from "zod";

import { placedMemory } from "./placement.js";

const bytes = z.int().min(0);
const change = z.enum(["create", "update", "replace", "delete", "same"]);
const texts = z.array(z.string());

const plannedStrategy = z
  .strictObject({
    kind: z
      .enum(["create", "blueGreen", "recreate", "verify", "replace", "repair"])
      .describe("How it changes; `repair` where nothing but what has drifted is mended"),
    pace: z.string().optional().describe("How many replicas of the deployment change at a time, when that is limited"),
    downtimeSeconds: z.number().min(0).describe("How long it may be without a runner, at most, seconds"),
    expectedSeconds: z
      .number()
      .min(0)
      .optional()
      .describe(
        "How long it will be without a runner, seconds: as long as earlier starts took there, at the worst; the time that the old runner takes to stop comes to it. Left out where none was measured",
      ),
    downtime: z.string().describe("The same in words, with what happens when it fails"),
  })
  .describe("How an instance changes");

const plannedObject = z
  .strictObject({
    kind: z
      .string()
      .describe(
        "Kind of the object: Host, BackendVersion, ModelFiles, Gateway, ModelGateway, Subordinate, Instance, ModelRoutes, or Pulumi's own",
      ),
    name: z.string().describe("Its name"),
    host: z.string().optional().describe("The host that it is on"),
    change: change.describe("What an `up` does to it"),
    reasons: texts.describe("Why, as what differs means"),
    drift: texts.describe("What is not as it was made, one sentence each"),
  })
  .describe("An object that changes");

const instancePlace = z
  .strictObject({
    host: z.string().describe("The host"),
    devices: texts.describe("Identities of its devices"),
    memory: placedMemory.optional(),
    version: z.string().describe("Backend and version"),
  })
  .describe("Where a replica is, and what it takes");

const plannedInstance = z
  .strictObject({
    name: z.string().describe("Its name, as DEPLOYMENT-NUMBER"),
    change: change.describe("What an `up` does to it"),
    isMoved: z.boolean().describe("Whether it goes to another host or to other devices"),
    before: instancePlace.optional(),
    after: instancePlace.optional(),
    strategy: plannedStrategy.optional(),
    load: z
      .strictObject({
        seconds: z.number().min(0).describe("From its start until it answered, at the worst of them, seconds"),
        starts: z.int().min(1).describe("How many starts were measured"),
      })
      .optional()
      .describe(
        "How long its backend took to load its model on the host, on as many devices; left out where none was measured",
      ),
  })
  .describe("A replica");

const argumentChange = z
  .strictObject({
    instances: texts.describe("The instances that change so"),
    removed: texts.describe("Arguments that go"),
    added: texts.describe("Arguments that come"),
  })
  .describe("How the command of a runner changes");

const plannedDeployment = z
  .strictObject({
    name: z.string().describe("Its name"),
    change: z.enum(["create", "update", "repair", "delete", "same"]).describe("`repair` where it has drifted alone"),
    versions: z
      .strictObject({ before: texts.describe("Those that run"), after: texts.describe("Those that will") })
      .describe("Backends and versions"),
    replicas: z
      .strictObject({ before: z.int().min(0).describe("Now"), after: z.int().min(0).describe("After the `up`") })
      .describe("How many replicas there are"),
    reasons: texts.describe("Why it changes"),
    arguments: z.array(argumentChange).describe("How its runners' commands change"),
    instances: z.array(plannedInstance).describe("Its replicas"),
  })
  .describe("A deployment that is, or will be, on the hosts");

const occupant = z
  .strictObject({
    instance: z.string().describe("The instance"),
    deployment: z.string().describe("Its deployment"),
    isNew: z.boolean().describe("Whether it is the new runner of a replica that has one"),
    bytes: bytes.optional().describe("What it is counted with; left out when that is not known"),
  })
  .describe("What has a part of a place's memory");

const foreignProcess = z
  .strictObject({
    pid: z.int().describe("Process id"),
    name: z.string().describe("Name of the program"),
    bytes: bytes.optional().describe("What it has, when it is told"),
  })
  .describe("A process that is not Berth's");

const place = z
  .strictObject({
    host: z.string().describe("The host"),
    device: z
      .string()
      .optional()
      .describe("Index of the device, MIG devices as GPU/INDEX; without it the host's own memory"),
    uuid: z.string().optional().describe("Identity of the device"),
    title: z.string().describe("Its product name"),
    bytes: bytes.optional().describe("Its memory; left out when it is not told"),
    foreignBytes: bytes.describe("What others have of it: left alone, and counted as taken"),
    foreign: z.array(foreignProcess).describe("Who they are, as far as it is told"),
    now: z.array(occupant).describe("Who has it now"),
    during: z.array(occupant).describe("Who has it at the worst moment of the `up`"),
    after: z.array(occupant).describe("Who has it after the `up`"),
    isOverfull: z.boolean().describe("Whether it would hold more than it has, as far as that is known"),
  })
  .describe("A device, or the memory of a host");

const fetched = z
  .strictObject({
    what: z.string().describe("What it is"),
    kind: z.enum(["backend", "model"]).describe("A backend version or a model"),
    bytes: bytes.optional().describe("Its size; left out when nobody tells it before"),
    hosts: texts.describe("Hosts that fetch it"),
    there: texts.describe("Hosts that want it, and have it: in the cache, or as a part of something else"),
  })
  .describe("Something that hosts need");

const hostFetch = z
  .strictObject({
    host: z.string().describe("The host"),
    isLookedAt: z.boolean().describe("Whether it told what it has already"),
    bytes: bytes.optional().describe("What it fetches; left out when the size of something is not known"),
    seconds: z
      .number()
      .min(0)
      .optional()
      .describe("How long that takes, one after the other; left out when something of it is not known"),
    origins: z
      .array(
        z.strictObject({
          origin: z.string().describe("The server, the registry, or the package index"),
          bytesPerSecond: z
            .number()
            .optional()
            .describe("How fast earlier downloads came from there; left out where none was measured"),
        }),
      )
      .describe("Where it comes from"),
    disks: z
      .array(
        z.strictObject({
          folder: z.string().describe("A folder on the file system"),
          neededBytes: bytes.describe("What comes there, at least: as it is fetched, before it is unpacked"),
          freeBytes: bytes.describe("What is free"),
          isShort: z.boolean().describe("Whether that is less: an `up` would end with `disk-full`"),
        }),
      )
      .describe("The room that it needs"),
  })
  .describe("What a host fetches");

export const planReport = z
  .strictObject({
    planVersion: z.literal(1).describe("Version of this format"),
    stack: z.string().describe("The stack"),
    lock: z
      .strictObject({
        path: z.string().describe("The lock file"),
        id: z.string().describe("The lock that the plan is of"),
        before: z.string().optional().describe("The lock in the file, when it is another"),
        reason: z.string().optional().describe("Why it was solved anew; left out where the file holds"),
      })
      .describe("The lock"),
    isPending: z.boolean().describe("Whether an `up` would change anything"),
    counts: z
      .strictObject({
        create: z.int().describe("Made"),
        update: z.int().describe("Changed"),
        replace: z.int().describe("Made anew"),
        delete: z.int().describe("Deleted"),
        same: z.int().describe("Left as they are"),
      })
      .describe("How many objects"),
    hosts: z
      .array(
        z.strictObject({
          name: z.string().describe("Its name"),
          problem: z.string().optional().describe("Why nothing is known of it now; left out where it answers"),
        }),
      )
      .describe("The hosts, as they answered now"),
    deployments: z.array(plannedDeployment).describe("The deployments"),
    objects: z.array(plannedObject).describe("The objects that change"),
    places: z.array(place).describe("Memory that something has, will have, or could have"),
    fetches: z.array(fetched).describe("What hosts need that is made or changed"),
    hostFetches: z.array(hostFetch).describe("What each host fetches of it"),
    choices: texts.describe("What the planner chose, and why"),
    checked: texts.describe("What was looked at and is well"),
    unknown: texts.describe("What could not be known, and what is not well"),
    failure: texts.describe("What happens when a change fails"),
  })
  .describe("Berth plan: what an `up` would change, before it does");

export type PlanReport = z.output<typeof planReport>;
export type PlannedObject = z.output<typeof plannedObject>;
export type PlannedDeployment = z.output<typeof plannedDeployment>;
export type PlannedInstance = z.output<typeof plannedInstance>;
export type PlannedStrategy = z.output<typeof plannedStrategy>;
export type InstancePlace = z.output<typeof instancePlace>;
export type ArgumentChange = z.output<typeof argumentChange>;
export type Place = z.output<typeof place>;
export type Occupant = z.output<typeof occupant>;
export type Fetched = z.output<typeof fetched>;
export type HostFetch = z.output<typeof hostFetch>;
