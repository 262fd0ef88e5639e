import { z } from "zod";

import { healthRequest } from "../schema/backend.js";
import { containerSettings } from "../schema/container.js";
import { placedMemory } from "../schema/placement.js";
import { adoption, category, mostSeconds } from "../schema/scalars.js";
import { commonInputs } from "./common.js";
import { hostChange } from "./host-change.js";
import { compareFields, type FieldDifference } from "./difference.js";
import { chooseStrategy, type Strategy } from "./instance-plan.js";
import type { DifferenceTable, FieldRule } from "./kind.js";

const text = z.record(z.string(), z.string());
const replicaCount = z.int().min(1);
const rolloutPart = z.strictObject({
  wave: z.int().min(1).describe("The wave of its host, from 1"),
  waves: z.int().min(1).describe("How many waves there are"),
  later: z.int().min(0).describe("How many instances come in later waves"),
  pauseSeconds: z.number().min(0).max(mostSeconds).describe("How long a wave waits after those before it, seconds"),
  maxFailures: z.int().min(0).describe("So many instances may fail without stopping the others"),
});
const runnerPort = z.int().min(1).max(65535);

export const instanceInputs = z.strictObject({
  ...commonInputs,
  deployment: z.string().describe("The deployment that this is a replica of"),
  backend: z.string().describe("Name of the backend"),
  backendVersion: z.string().describe("Version of the backend"),
  /** Changes when the engine is installed anew. */
  installation: z.string().describe("Identity of the backend's installation on the host"),
  modelSha256: z.string().describe("SHA-256 of the model"),
  modelPath: z.string().describe("The model's file on the host"),
  /** Changes when the model's file is put in place anew. */
  placement: z.string().describe("Identity of the model's placement on the host"),
  runtime: z.string().describe("What keeps the runner alive"),
  argv: z.array(z.string()).describe("Argument vector of the runner; of a container its arguments"),
  container: containerSettings.optional().describe("The container that it runs in. Default: a process of the host"),
  env: text.default({}).describe("Environment of the runner"),
  secretEnv: text.default({}).describe("Environment of the runner whose values are secrets"),
  bindAddress: z.string().describe("Address that the runner listens on"),
  port: z.int().min(1).max(65535).describe("Port that the runner listens on"),
  slots: z
    .tuple([runnerPort, runnerPort])
    .optional()
    .describe("Ports of its runners behind the gateway, which then has `port`; without them updates have downtime"),
  devices: z.array(z.string()).min(1).optional().describe("Identities of the accelerators that are its own"),
  memory: placedMemory.optional().describe("What it takes of its host and its devices. Default: its devices whole"),
  subordinates: z
    .array(
      z.strictObject({
        name: z.string().describe("The subordinate"),
        backendVersion: z.string().describe("Version of its backend, which has to be the instance's own"),
        /** Changes when it is started anew. */
        start: z.string().describe("Identity of its start, to which the primary has loaded"),
        ray: z.enum(["head", "member"]).optional().describe("What it is in the instance's Ray cluster"),
      }),
    )
    .min(1)
    .optional()
    .describe("What it has on other hosts, in the order in which its arguments name them"),
  servedModel: z.string().describe("Name under which clients ask for the model"),
  apiKeyVariable: z.string().optional().describe("The member of secretEnv that is the API key"),
  healthPath: z.string().describe("HTTP path that answers 2xx when the engine is up"),
  healthRequest: healthRequest.optional().describe("Request that proves that the model answers"),
  category: category.optional().describe("What the model does. Default: llm"),
  minHealthySeconds: z.number().min(0).max(mostSeconds).describe("How long the runner must stay healthy, seconds"),
  healthyDeadlineSeconds: z
    .number()
    .min(0)
    .max(mostSeconds)
    .describe("How long the runner may take to become healthy, seconds"),
  stopSeconds: z.number().min(0).max(mostSeconds).describe("How long the runner may take to stop, seconds"),
  drainSeconds: z
    .number()
    .min(0)
    .max(mostSeconds)
    .optional()
    .describe("How long requests in progress may take to end on a runner that was replaced, seconds; with slots"),
  adopt: adoption.optional().describe("What is done about a runner that the state does not know. Default: ifLabelled"),
  maxSurge: replicaCount.optional().describe("How many replicas of its deployment are updated blue/green at a time"),
  maxUnavailable: replicaCount.optional().describe("How many replicas of its deployment are recreated at a time"),
  rollout: rolloutPart.optional().describe("When it changes, beside the instances of other hosts"),
  strategy: z
    .strictObject({
      kind: z.enum(["create", "blueGreen", "recreate", "verify", "replace"]),
      downtime: z.string(),
      pace: z.string().optional(),
    })
    .optional()
    .describe("What the change does; worked out by Berth"),
});

export type InstanceInputs = z.output<typeof instanceInputs>;

const restart = { change: "update", reason: "the runner is started again" } as const satisfies FieldRule<unknown>;
const settings = {
  change: "update",
  reason: "the runner is verified again, and not touched",
} as const satisfies FieldRule<unknown>;

export const instanceDifferences: DifferenceTable<InstanceInputs> = {
  // The old runner holds the port, also of another owner; hosts by the connection `local` are one machine.
  name: { change: "replaceDeletingFirst", reason: "another instance" },
  owner: { change: "replaceDeletingFirst", reason: "another owner" },
  host: hostChange("replaceDeletingFirst"),
  runtime: { change: "replaceDeletingFirst", reason: "another supervisor" },
  deployment: settings,
  backend: restart,
  backendVersion: restart,
  installation: restart,
  modelSha256: restart,
  modelPath: restart,
  placement: restart,
  argv: restart,
  container: restart,
  env: restart,
  secretEnv: restart,
  bindAddress: restart,
  port: restart,
  slots: restart,
  subordinates: restart,
  // What the runner sees of them is in its arguments and environment.
  devices: settings,
  memory: settings,
  servedModel: settings,
  apiKeyVariable: settings,
  healthPath: settings,
  healthRequest: settings,
  category: settings,
  minHealthySeconds: settings,
  healthyDeadlineSeconds: settings,
  stopSeconds: { change: "update", reason: "holds from the runner's next start" },
  drainSeconds: { change: "update", reason: "holds from the next update" },
  adopt: { change: "none", reason: "holds from the next creation" },
  // How others change beside it.
  maxSurge: { change: "none", reason: "" },
  maxUnavailable: { change: "none", reason: "" },
  rollout: { change: "none", reason: "" },
  // Follows from the others.
  strategy: { change: "none", reason: "" },
};

function changeOf(
  differences: readonly FieldDifference[],
  isBehindGateway: boolean,
): Parameters<typeof chooseStrategy>[0] {
  if (differences.some(({ change }) => change === "replaceDeletingFirst")) return "replace";
  if (!differences.some(({ reason }) => reason === restart.reason)) return "settings";
  return isBehindGateway ? "switch" : "restart";
}

/** How many replicas of the deployment such a change has at a time; undefined where nothing holds it back. */
export function updatesAtOnce(
  kind: Strategy["kind"] | undefined,
  { maxSurge, maxUnavailable }: Pick<Partial<InstanceInputs>, "maxSurge" | "maxUnavailable">,
): number | undefined {
  if (kind === "blueGreen") return maxSurge;
  return kind === "recreate" ? maxUnavailable : undefined;
}

/** Adds the strategy. It stays as it was when nothing else changes, so that it makes no difference by itself. */
export function deriveStrategy(
  olds: InstanceInputs | undefined,
  news: Partial<InstanceInputs>,
): Partial<InstanceInputs> {
  const { healthyDeadlineSeconds = 0 } = news;
  if (olds === undefined) return { ...news, strategy: chooseStrategy("create", healthyDeadlineSeconds) };
  const differences = compareFields(instanceDifferences, olds, news);
  if (differences.length === 0 && olds.strategy !== undefined) return { ...news, strategy: olds.strategy };
  const isBehindGateway = olds.slots !== undefined && news.slots !== undefined;
  const strategy = chooseStrategy(changeOf(differences, isBehindGateway), healthyDeadlineSeconds);
  const atOnce = updatesAtOnce(strategy.kind, news);
  return { ...news, strategy: atOnce === undefined ? strategy : { ...strategy, pace: `${atOnce} at a time` } };
}
