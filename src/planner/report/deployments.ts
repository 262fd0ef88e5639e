/** What becomes of each deployment. */
import { differingWords } from "../../lib/words.js";
import type {
  ArgumentChange,
  InstancePlace,
  PlannedDeployment,
  PlannedInstance,
  PlannedStrategy,
} from "../../schema/plan.js";
import { compareInstances } from "../replicas.js";
import type { SeenInstance, SeenObject, SeenReplica } from "./seen.js";
import { loadTimeOf, type HostStores, type LoadTime } from "./stores.js";

interface Replica {
  readonly object: SeenObject;
  readonly instance: SeenInstance;
}

/** By name, each with its replicas. */
export function deploymentsOf(objects: readonly SeenObject[], stores: HostStores): PlannedDeployment[] {
  const byDeployment = new Map<string, Replica[]>();
  for (const object of objects) {
    const { instance } = object;
    const name = instance?.after?.deployment ?? instance?.before?.deployment;
    if (instance === undefined || name === undefined) continue;
    byDeployment.set(name, [...(byDeployment.get(name) ?? []), { object, instance }]);
  }
  return [...byDeployment]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, replicas]) =>
      describe(
        name,
        replicas.toSorted((a, b) => compareInstances(a.object.name, b.object.name)),
        stores,
      ),
    );
}

function describe(name: string, replicas: readonly Replica[], stores: HostStores): PlannedDeployment {
  const of = (which: "before" | "after") => replicas.flatMap(({ instance }) => instance[which] ?? []);
  const [before, after] = [of("before"), of("after")];
  const versions = (each: readonly SeenReplica[]) => [...new Set(each.map(({ version }) => version))].sort();
  return {
    name,
    change: changeOf(replicas),
    versions: { before: versions(before), after: versions(after) },
    replicas: { before: before.length, after: after.length },
    reasons: reasonsOf(replicas, versions(before), versions(after)),
    arguments: argumentChanges(replicas),
    instances: replicas.map((replica) => planned(replica, stores)),
  };
}

function changeOf(replicas: readonly Replica[]): PlannedDeployment["change"] {
  const changed = replicas.filter(({ object }) => object.change !== "same");
  if (changed.length === 0) return "same";
  if (replicas.every(({ object }) => object.change === "create")) return "create";
  if (replicas.every(({ object }) => object.change === "delete")) return "delete";
  const isMended = ({ object }: Replica) =>
    object.change === "update" && object.fields.length === 0 && object.drift.length > 0;
  return changed.every(isMended) ? "repair" : "update";
}

function reasonsOf(replicas: readonly Replica[], before: readonly string[], after: readonly string[]): string[] {
  const isUpgrade = before.length > 0 && after.length > 0 && before.join() !== after.join();
  const versions = isUpgrade ? [`${before.join(", ")} -> ${after.join(", ")}`] : [];
  const told = replicas.flatMap(({ object: { name, reasons, drift } }) => [
    ...reasons,
    ...drift.map((sentence) => `drift: ${name} ${sentence}`),
  ]);
  return [...versions, ...new Set(told)];
}

function planned({ object: { name, change }, instance }: Replica, stores: HostStores): PlannedInstance {
  const { before, after, strategy } = instance;
  const isMoved =
    before !== undefined &&
    after !== undefined &&
    (before.host !== after.host || before.devices.join() !== after.devices.join());
  return {
    ...{ name, change, isMoved },
    ...(before === undefined ? {} : { before: placeOf(before) }),
    ...(after === undefined ? {} : { after: placeOf(after) }),
    ...(change === "same" || strategy === undefined ? {} : timed(strategy, loadOf(after, stores))),
  };
}

function loadOf(after: SeenReplica | undefined, stores: HostStores): LoadTime | undefined {
  if (after === undefined) return undefined;
  const { host, backend, modelSha256, devices } = after;
  return loadTimeOf(stores[host], { backend, modelSha256, devices: devices.length });
}

/** What only verifies loads nothing. */
function timed(strategy: PlannedStrategy, load: LoadTime | undefined): Pick<PlannedInstance, "strategy" | "load"> {
  if (load === undefined || strategy.kind === "verify") return { strategy };
  const expectedSeconds = Math.min(load.seconds, strategy.downtimeSeconds);
  return { strategy: { ...strategy, expectedSeconds }, load };
}

function placeOf({ host, devices, memory, version }: SeenReplica): InstancePlace {
  return { host, devices: [...devices], version, ...(memory === undefined ? {} : { memory }) };
}

/** Instances that change alike are told once. */
function argumentChanges(replicas: readonly Replica[]): ArgumentChange[] {
  const changes = new Map<string, ArgumentChange>();
  for (const { object, instance } of replicas) {
    if (instance.before === undefined || instance.after === undefined) continue;
    const [removed, added] = differingWords(instance.before.argv, instance.after.argv);
    if (removed.length + added.length === 0) continue;
    const key = JSON.stringify([removed, added]);
    const instances = [...(changes.get(key)?.instances ?? []), object.name];
    changes.set(key, { instances, removed, added });
  }
  return [...changes.values()];
}
