/** All that an `up` would change, from what was seen. Pure. */
import type { PlannedObject, PlanReport } from "../../schema/plan.js";
import { desiredStack } from "../desired.js";
import { findingsOf } from "./checks.js";
import { deploymentsOf } from "./deployments.js";
import { fetchesOf, hostFetchesOf } from "./fetches.js";
import { needsOf } from "./needs.js";
import { placesOf } from "./places.js";
import type { Seen, SeenObject } from "./seen.js";

/** The same for the same input. */
export function planReport(seen: Seen): PlanReport {
  const { stack, lock, lockPath, lockBefore, reason, choices, objects, hosts, stores } = seen;
  const places = placesOf(seen);
  const needs = needsOf(objects, desiredStack(lock, seen.projectRoot), seen);
  const hostFetches = hostFetchesOf(needs, stores);
  const deployments = deploymentsOf(objects, stores);
  const changed = objects.filter(({ change }) => change !== "same");
  return {
    planVersion: 1,
    stack,
    lock: {
      ...{ path: lockPath, id: lock.id },
      ...(lockBefore === undefined || lockBefore === lock.id ? {} : { before: lockBefore }),
      ...(reason === undefined ? {} : { reason }),
    },
    isPending: changed.length > 0 || seen.isNewLock,
    counts: countsOf(objects),
    hosts: Object.entries(hosts)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, host]) => (host.reachable ? { name } : { name, problem: host.problem })),
    deployments,
    objects: changed.map(told).sort(byKind),
    places,
    fetches: fetchesOf(needs),
    hostFetches,
    choices: [...choices],
    ...findingsOf(seen, { places, needs, hostFetches, deployments }),
    failure: failureOf(changed),
  };
}

function countsOf(objects: readonly SeenObject[]): PlanReport["counts"] {
  const counts = { create: 0, update: 0, replace: 0, delete: 0, same: 0 };
  for (const { change } of objects) counts[change] += 1;
  return counts;
}

function told({ kind, name, host, change, reasons, drift }: SeenObject): PlannedObject {
  return { kind, name, ...(host === undefined ? {} : { host }), change, reasons, drift };
}

const kinds = [
  ...["Host", "BackendVersion", "ModelFiles", "Gateway", "ModelGateway", "Subordinate", "Instance", "ModelRoutes"],
];

/** In the order in which things stand on each other; Pulumi's own after Berth's. */
function byKind(a: PlannedObject, b: PlannedObject): number {
  const rank = ({ kind }: PlannedObject) => (kinds.includes(kind) ? kinds.indexOf(kind) : kinds.length);
  return rank(a) - rank(b) || compare(a.kind, b.kind) || compare(a.name, b.name);
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

const failures = {
  create: "create: what could not be verified is taken away again, and the `up` ends with exit code 1",
  blueGreen: "blueGreen: the old runner serves on, the new one is taken away, and the `up` ends with exit code 1",
  recreate: "recreate: the old runner is started again, and the `up` ends with exit code 1",
  verify: "verify: the runner is left as it is, and the `up` ends with exit code 1",
  repair: "repair: what runs is left as it is, and the `up` ends with exit code 1",
  replace: "replace: the old runner is gone and does not come back, and the `up` ends with exit code 1",
} as const;

function failureOf(changed: readonly SeenObject[]): string[] {
  const used = new Set(
    changed.flatMap(({ change, instance }) => (change === "delete" ? [] : (instance?.strategy?.kind ?? []))),
  );
  return Object.entries(failures).flatMap(([kind, text]) => ([...used].some((each) => each === kind) ? [text] : []));
}
