/** What differs between the locks of two environments. Pure. */
import type {
  LockedDeployment,
  LockedEngine,
  LockedInstall,
  LockedPreload,
  LockFile,
  PlacedHost,
  PlacedInstance,
  PlacedPreload,
} from "../schema/lock.js";
import type { LockedModel } from "../schema/model.js";
import {
  compareEntries,
  compareFields,
  compareTexts,
  compareValues,
  type Comparison,
  type Difference,
} from "./value-difference.js";
import {
  describeAccelerators,
  describeBundle,
  describeEngine,
  describeHost,
  describeInstall,
  describeInstance,
  describeMemory,
  describeModel,
  describePreload,
} from "./value-text.js";

export interface LockDifference {
  /** What a promotion moves. */
  readonly release: readonly Difference[];
  /** What is each environment's own. */
  readonly environment: readonly Difference[];
}

/** Field by field. What others used of the hosts when the locks were solved differs at any time, and is left out. */
export function compareLocks(left: LockFile, right: LockFile): LockDifference {
  const { hosts, instances, preload, ...rest } = left.placement;
  const { hosts: otherHosts, instances: otherInstances, preload: otherPreload, ...others } = right.placement;
  return {
    release: [
      ...compareEntries("", left.release, right.release, bundles),
      ...compareEntries("preload", left.preload, right.preload, preloads),
    ],
    environment: [
      ...compareEntries("hosts", hosts, otherHosts, placedHosts),
      ...compareEntries("instances", instances, otherInstances, placedInstances),
      ...compareEntries("preload", preload, otherPreload, placedPreloads),
      ...compareFields("", rest, others),
    ],
  };
}

const bundles: Comparison<LockedDeployment> = { describe: describeBundle, compare: compareBundle };
const preloads: Comparison<LockedPreload> = { describe: describePreload, compare: comparePreload };
const engines: Comparison<LockedEngine> = { describe: describeEngine, compare: compareEngine };
const models: Comparison<LockedModel> = { describe: describeModel, compare: compareModel };
const placedHosts: Comparison<PlacedHost> = { describe: describeHost, compare: compareHost };
const placedInstances: Comparison<PlacedInstance> = { describe: describeInstance, compare: compareInstance };
const placedPreloads: Comparison<PlacedPreload> = {
  describe: ({ hosts }) => `on ${hosts.join(", ")}`,
  compare: compareFields,
};

function compareBundle(path: string, left: LockedDeployment, right: LockedDeployment): Difference[] {
  const { id, install, model, ...rest } = left;
  const { id: otherId, install: otherInstall, model: otherModel, ...others } = right;
  return [
    ...compareFields(path, { bundle: id }, { bundle: otherId }),
    ...compareFields(path, rest, others),
    ...compareInstall(`${path}.install`, install, otherInstall),
    ...compareModel(`${path}.model`, model, otherModel),
  ];
}

function comparePreload(path: string, left: LockedPreload, right: LockedPreload): Difference[] {
  return [
    ...compareValues(`${path}.engine`, left.engine, right.engine, engines),
    ...compareValues(`${path}.model`, left.model, right.model, models),
  ];
}

function compareEngine(
  path: string,
  { install, ...left }: LockedEngine,
  { install: other, ...right }: LockedEngine,
): Difference[] {
  return [...compareFields(path, left, right), ...compareInstall(`${path}.install`, install, other)];
}

/** Fields of one way to install mean nothing beside those of another. */
function compareInstall(path: string, left: LockedInstall, right: LockedInstall): Difference[] {
  if (left.method !== right.method) return compareTexts(path, describeInstall(left), describeInstall(right));
  if (left.method !== "image" || right.method !== "image") return compareFields(path, left, right);
  if (left.reference === right.reference) return compareFields(path, left, right);
  // Where an image runs follows from which one it is.
  const { runnerImage: _, ...image } = left;
  const { runnerImage: __, ...other } = right;
  return compareFields(path, image, other);
}

function compareModel(path: string, left: LockedModel, right: LockedModel): Difference[] {
  if (left.from.source === right.from.source) return compareFields(path, left, right);
  return compareTexts(path, describeModel(left), describeModel(right));
}

function compareHost(path: string, left: PlacedHost, right: PlacedHost): Difference[] {
  const { facts, usage: _, ...rest } = left;
  const { facts: otherFacts, usage: __, ...others } = right;
  const { accelerators, ...known } = facts;
  const { accelerators: otherAccelerators, ...otherKnown } = otherFacts;
  const devices = [accelerators, otherAccelerators].map(describeAccelerators);
  return [
    ...compareFields(path, rest, others),
    ...compareFields(`${path}.facts`, known, otherKnown),
    ...compareTexts(`${path}.facts.accelerators`, devices[0], devices[1]),
  ];
}

function compareInstance(path: string, left: PlacedInstance, right: PlacedInstance): Difference[] {
  const { memory, ...rest } = left;
  const { memory: otherMemory, ...others } = right;
  const takes = [memory, otherMemory].map((each) => (each === undefined ? undefined : describeMemory(each)));
  return [...compareFields(path, rest, others), ...compareTexts(`${path}.memory`, takes[0], takes[1])];
}
