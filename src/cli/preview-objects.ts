/** From the steps of a preview to the objects that they are about. Pure. */
import { z } from "zod";

import type { SeenInstance, SeenObject, SeenReplica } from "../planner/report/seen.js";
import { placedMemory } from "../schema/placement.js";
import type { PlannedStrategy } from "../schema/plan.js";
import { compareFields, type FieldDifference } from "../resources/difference.js";
import { chooseStrategy } from "../resources/instance-plan.js";
import type { CommonInputs, CommonObserved, ResourceKind } from "../resources/kind.js";
import { resourceKinds } from "../resources/kinds.js";
import { migrate } from "../resources/migrate.js";
import { nameOf } from "./state.js";
import type { PreviewStep } from "./preview.js";

type Change = SeenObject["change"];
type Properties = Readonly<Record<string, unknown>>;

/** All that the steps of one object tell. */
interface Told {
  readonly urn: string;
  readonly type: string;
  readonly change: Change;
  readonly before: Properties | undefined;
  readonly after: Properties | undefined;
  readonly diffReasons: readonly string[];
}

/** Every object once; those of Pulumi that hold others only where they change. */
export function previewObjects(steps: readonly PreviewStep[]): SeenObject[] {
  const byUrn = new Map<string, PreviewStep[]>();
  for (const step of steps) byUrn.set(step.urn, [...(byUrn.get(step.urn) ?? []), step]);
  return [...byUrn].flatMap(([urn, own]) => {
    const told = gather(urn, own);
    const isFrame = /^(?:pulumi:|berth:index:)/.test(told.type);
    return isFrame && told.change === "same" ? [] : [toObject(told)];
  });
}

const changes: Readonly<Record<string, Change>> = {
  ...{ same: "same", refresh: "same", read: "same", create: "create", update: "update", delete: "delete" },
  ...{ replace: "replace", "create-replacement": "replace", "delete-replaced": "replace" },
};

function gather(urn: string, steps: readonly PreviewStep[]): Told {
  const planned = steps.filter(({ op }) => changes[op] !== "same");
  const [first] = planned.length > 0 ? planned : steps;
  const last = planned.findLast(({ newState }) => newState !== undefined) ?? steps.at(-1);
  const change = planned.some(({ op }) => changes[op] === "replace")
    ? "replace"
    : (changes[first?.op ?? ""] ?? "update");
  const old = planned.find(({ oldState }) => oldState !== undefined)?.oldState;
  const next = last?.newState;
  return {
    ...{ urn, change, type: (next ?? old)?.type ?? "" },
    before: change === "same" ? next?.outputs : (old?.outputs ?? old?.inputs),
    after: change === "same" ? next?.outputs : change === "delete" ? undefined : next?.inputs,
    diffReasons: planned.flatMap(({ diffReasons }) => diffReasons ?? []),
  };
}

function toObject(told: Told): SeenObject {
  const { urn, type, change, before, after } = told;
  const kind = /(?:berth:|:)(\w+)$/.exec(type)?.[1] ?? type;
  const isBerths = type.startsWith("pulumi-nodejs:dynamic/berth:");
  const differences = isBerths && before !== undefined && after !== undefined ? differencesOf(kind, before, after) : [];
  const drift = change === "update" || change === "replace" ? driftOf(before) : [];
  const host = hostNameOf(after ?? before);
  const instance = isBerths && kind === "Instance" ? instanceOf(told, differences, drift) : undefined;
  const model = isBerths && kind === "ModelFiles" ? modelOf(before) : undefined;
  return {
    ...{ kind, name: nameOf(urn), change, drift },
    ...(host === undefined ? {} : { host }),
    reasons: reasonsOf(told, differences, drift),
    fields: differences.map(({ field }) => field),
    ...(instance === undefined ? {} : { instance }),
    ...(model === undefined ? {} : { model }),
  };
}

function differencesOf(kind: string, before: Properties, after: Properties): FieldDifference[] {
  const { Host, BackendVersion, ModelFiles, Gateway, ModelGateway, ModelRoutes, Subordinate, Instance } = resourceKinds;
  switch (kind) {
    case Host.kind:
      return compare(Host, before, after);
    case BackendVersion.kind:
      return compare(BackendVersion, before, after);
    case ModelFiles.kind:
      return compare(ModelFiles, before, after);
    case Gateway.kind:
      return compare(Gateway, before, after);
    case ModelGateway.kind:
      return compare(ModelGateway, before, after);
    case ModelRoutes.kind:
      return compare(ModelRoutes, before, after);
    case Subordinate.kind:
      return compare(Subordinate, before, after);
    case Instance.kind:
      return compare(Instance, before, after);
    default:
      return [];
  }
}

function compare<Inputs extends CommonInputs, Observed extends CommonObserved>(
  { kind, differences }: ResourceKind<Inputs, Observed>,
  before: Properties,
  after: Properties,
): FieldDifference[] {
  return compareFields(differences, migrate(kind, before) as Partial<Inputs>, after as Partial<Inputs>);
}

/** What differs, by what it means; what a preview keeps to itself is told as that. */
function reasonsOf(
  { change, diffReasons }: Told,
  differences: readonly FieldDifference[],
  drift: readonly string[],
): string[] {
  if (change === "delete") return ["the lock does not want it any more"];
  if (change !== "update" && change !== "replace") return [];
  const meanings = [...new Set(differences.map(({ reason }) => reason))];
  const fieldsOf = (reason: string) => differences.filter((each) => each.reason === reason).map(({ field }) => field);
  const reasons = meanings.map((reason) => `${reason}: ${fieldsOf(reason).join(", ")}`);
  if (reasons.length > 0) return reasons;
  if (diffReasons.length > 0) return [`differs in ${diffReasons.join(", ")}`];
  return drift.length > 0 ? [] : ["differs in what a preview does not show, such as a secret"];
}

const replica = z.object({
  deployment: z.string(),
  host: z.object({ name: z.string() }),
  devices: z.array(z.string()).optional(),
  memory: placedMemory.optional().catch(undefined),
  backend: z.string(),
  backendVersion: z.string(),
  modelSha256: z.string().catch(""),
  argv: z.array(z.string()),
  port: z.int(),
  slots: z.array(z.int()).optional(),
  strategy: z
    .object({
      kind: z.enum(["create", "blueGreen", "recreate", "verify", "replace"]),
      downtime: z.string(),
      pace: z.string().optional(),
    })
    .optional(),
  healthyDeadlineSeconds: z.number(),
});

function instanceOf(
  { change, before, after }: Told,
  differences: readonly FieldDifference[],
  drift: readonly string[],
): SeenInstance {
  const wanted = replica.safeParse(after).data;
  const there = change === "create" ? undefined : replica.safeParse(before).data;
  const isRepair = change === "update" && differences.length === 0 && drift.length > 0;
  const strategy = wanted === undefined || change === "same" ? undefined : strategyOf(wanted, change, isRepair);
  return {
    ...(there === undefined ? {} : { before: toReplica(there) }),
    ...(wanted === undefined ? {} : { after: toReplica(wanted) }),
    ...(strategy === undefined ? {} : { strategy }),
  };
}

function toReplica(parsed: z.output<typeof replica>): SeenReplica {
  const {
    deployment,
    host,
    devices = [],
    memory,
    backend,
    backendVersion,
    argv,
    port,
    slots = [],
    modelSha256,
  } = parsed;
  const known = memory === undefined ? {} : { memory };
  return {
    deployment,
    host: host.name,
    devices,
    argv,
    version: `${backend} ${backendVersion}`,
    ...{ backend, modelSha256 },
    ports: [port, ...slots],
    ...known,
  };
}

/** What the preview shows, but for what is replaced, which Pulumi checks as if it were new, and for what is mended. */
function strategyOf(
  { strategy, healthyDeadlineSeconds: seconds }: z.output<typeof replica>,
  change: Change,
  isRepair: boolean,
): PlannedStrategy | undefined {
  if (isRepair) {
    const downtime = `what runs well is verified alone; what does not is started again, at most ${seconds} s from then`;
    return { kind: "repair", downtimeSeconds: seconds, downtime };
  }
  if (change === "replace") return { ...chooseStrategy("replace", seconds), downtimeSeconds: seconds };
  if (strategy === undefined) return undefined;
  const { kind, downtime, pace } = strategy;
  const isDown = kind === "recreate" || kind === "replace";
  return { kind, downtime, downtimeSeconds: isDown ? seconds : 0, ...(pace === undefined ? {} : { pace }) };
}

const modelFiles = z.object({ sha256: z.string(), sizeBytes: z.int().positive() });

function modelOf(before: Properties | undefined): SeenObject["model"] {
  const { data } = modelFiles.safeParse(before);
  return data === undefined ? undefined : { sha256: data.sha256, bytes: data.sizeBytes };
}

function driftOf(before: Properties | undefined): string[] {
  return Array.isArray(before?.drift) ? before.drift.map(String) : [];
}

function hostNameOf(of: Properties | undefined): string | undefined {
  const parsed = z.object({ name: z.string() }).safeParse(of?.host);
  return parsed.data?.name;
}
