/** Deployments and objects in the words that people are told, for text and HTML alike. */
import type { PlannedDeployment, PlannedObject, PlannedStrategy, PlanReport } from "../../schema/plan.js";
import { describeMemory } from "./memory.js";
import { foldNames } from "./names.js";

export type Mark = "+" | "~" | "-" | "!" | "=";

const marks: Readonly<Record<PlannedDeployment["change"] | PlannedObject["change"], Mark>> = {
  ...{ create: "+", update: "~", replace: "~", delete: "-", repair: "!", same: "=" },
};

/** A row of the table of deployments. */
export interface DeploymentRow {
  readonly mark: Mark;
  readonly name: string;
  readonly change: string;
  readonly replicas: string;
  readonly strategy: string;
  readonly downtime: string;
}

export function deploymentRow(deployment: PlannedDeployment): DeploymentRow {
  const { name, change, replicas } = deployment;
  return {
    mark: marks[change],
    name,
    change: changeText(deployment),
    replicas: replicas.before === replicas.after ? String(replicas.after) : `${replicas.before} -> ${replicas.after}`,
    ...strategyTexts(deployment),
  };
}

function changeText({ change, versions, reasons }: PlannedDeployment): string {
  const [before, after] = [versions.before.join(", "), versions.after.join(", ")];
  switch (change) {
    case "create":
      return after;
    case "delete":
      return `deleted: ${before}`;
    case "repair":
      return "drift is mended";
    case "same":
      return `${after}, unchanged`;
    case "update":
      return before !== after && before !== "" ? `${before} -> ${after}` : (reasons[0] ?? after);
  }
}

function strategyTexts({ instances }: PlannedDeployment): { strategy: string; downtime: string } {
  const strategies = instances.flatMap(({ strategy }) => strategy ?? []);
  const texts = strategies.map(({ kind, pace }) => (pace === undefined ? kind : `${kind}, ${pace}`));
  const kinds = [...new Set(texts)].map((text) => {
    const count = texts.filter((each) => each === text).length;
    return count === texts.length ? text : `${text} (${count})`;
  });
  const running = strategies.filter(({ kind }) => kind !== "create");
  return {
    strategy: kinds.length === 0 ? "-" : kinds.join("; "),
    downtime: running.length === 0 ? "-" : downtimeText(running),
  };
}

/** `about 25 s, at most 300 s each`; without the first where no start was measured. */
function downtimeText(strategies: readonly PlannedStrategy[]): string {
  const worst = Math.max(0, ...strategies.map(({ downtimeSeconds }) => downtimeSeconds));
  if (worst === 0) return "0 s";
  const expected = strategies.flatMap(({ downtimeSeconds, expectedSeconds }) =>
    downtimeSeconds === 0 ? [] : [expectedSeconds],
  );
  const known = expected.filter((seconds) => seconds !== undefined);
  const about = known.length < expected.length ? "" : `about ${Math.ceil(Math.max(...known))} s, `;
  return `${about}at most ${worst} s${strategies.length > 1 ? " each" : ""}`;
}

/** Objects that change alike. */
export interface ObjectRow {
  readonly mark: Mark;
  readonly change: PlannedObject["change"];
  readonly kind: string;
  readonly names: string;
  readonly why: readonly string[];
}

/** Without instances, which deployments tell of. Those that differ in their host alone are told together. */
export function objectRows({ objects }: PlanReport): ObjectRow[] {
  const groups = new Map<string, { object: PlannedObject; rest: string; hosts: string[] }>();
  for (const object of objects) {
    if (object.kind === "Instance") continue;
    const { kind, name, host, change, reasons, drift } = object;
    const isOfHost = host !== undefined && name.startsWith(`${host}.`);
    const rest = isOfHost ? name.slice(host.length + 1) : "";
    const key = JSON.stringify([kind, change, rest, reasons, drift, isOfHost]);
    const hosts = groups.get(key)?.hosts ?? [];
    groups.set(key, { object, rest, hosts: [...hosts, isOfHost ? host : name] });
  }
  return [...groups.values()].map(({ object, rest, hosts }) => ({
    mark: marks[object.change],
    change: object.change,
    kind: object.kind,
    names: rest === "" ? foldNames(hosts) : `${rest} on ${foldNames(hosts)}`,
    why: [...object.reasons, ...object.drift.map((sentence) => `drift: ${sentence}`)],
  }));
}

/** Why each deployment changes, and what it takes: a name with its sentences. */
export function deploymentReasons({ deployments }: PlanReport): { name: string; texts: string[] }[] {
  return deployments.flatMap(({ name, change, reasons, instances }) => {
    const memories = instances.flatMap(({ after }) =>
      after?.memory === undefined ? [] : [describeMemory(after.memory)],
    );
    const moved = instances.filter(({ isMoved }) => isMoved).map((each) => each.name);
    const texts = [
      ...reasons,
      ...(moved.length === 0 ? [] : [`moves: ${foldNames(moved)}`]),
      ...(change === "delete" ? [] : new Set(memories)),
    ];
    return texts.length === 0 ? [] : [{ name, texts }];
  });
}

/** `1 created, 2 changed, 1 made anew, 3 deleted, 12 unchanged` */
export function countsText({ counts }: PlanReport): string {
  const words = { create: "created", update: "changed", replace: "made anew", delete: "deleted", same: "unchanged" };
  const told = Object.entries(counts).flatMap(([change, count]) =>
    count === 0 ? [] : [`${count} ${words[change as keyof typeof words]}`],
  );
  return told.length === 0 ? "nothing at all" : told.join(", ");
}

/** How the lock came to be, in the words after its name. */
export function lockText({ lock: { id, before, reason } }: PlanReport): string {
  const was = before === undefined ? "" : `was ${before.slice(0, 7)}`;
  const why = [was, reason ?? ""].filter((text) => text !== "").join(": ");
  return `${id.slice(0, 7)}${why === "" ? "" : ` (${why})`}`;
}

export const noChanges = "no changes: everything is as the stack wants it";
