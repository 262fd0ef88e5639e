import { fetchTexts, loadTexts } from "../planner/report/fetch-text.js";
import { foldPlaces, sharesOf, type Share } from "../planner/report/fold.js";
import { gib } from "../planner/report/memory.js";
import { foldNames } from "../planner/report/names.js";
import { sumOf } from "../planner/report/places.js";
import {
  countsText,
  deploymentReasons,
  deploymentRow,
  lockText,
  noChanges,
  objectRows,
} from "../planner/report/summary.js";
import type { Occupant, Place, PlanReport } from "../schema/plan.js";
import { plainTable } from "./table.js";

/** A plan for people at a terminal. */
export function planText(report: PlanReport): string {
  const sections = [
    headText(report),
    deploymentsText(report),
    objectsText(report),
    placesText(report),
    whyText(report),
    argumentsText(report),
    listText("FETCH", fetchTexts(report)),
    listText("LOAD", loadTexts(report)),
    listText("CHECKED", report.checked),
    listText("UNKNOWN", report.unknown),
    listText("IF IT FAILS", report.failure),
    endText(report),
  ];
  const text = sections.filter((section) => section !== "").join("\n\n");
  return text.replace(/ +$/gm, "");
}

function headText(report: PlanReport): string {
  const { stack, lock, hosts } = report;
  const answering = hosts.filter(({ problem }) => problem === undefined).length;
  return [
    `stack ${stack}   ${lock.path} ${lockText(report)}   hosts: ${answering} of ${hosts.length} answer`,
    "Read only: nothing on any host was changed, and the lock was not written.",
  ].join("\n");
}

function deploymentsText({ deployments }: PlanReport): string {
  if (deployments.length === 0) return "";
  const rows = deployments
    .map(deploymentRow)
    .map((row) => [row.mark, row.name, row.change, row.replicas, row.strategy, row.downtime]);
  return plainTable(["", "DEPLOYMENT", "CHANGE", "REPLICAS", "STRATEGY", "DOWNTIME"], rows);
}

function objectsText(report: PlanReport): string {
  const rows = objectRows(report).map(({ mark, kind, names, why }) => [mark, kind, names, why.join("\n")]);
  if (rows.length === 0) return "";
  const hasReasons = rows.some((row) => row[3] !== "");
  const head = ["", "OBJECT", "NAME", "WHY"];
  return hasReasons
    ? plainTable(head, rows)
    : plainTable(
        head.slice(0, 3),
        rows.map((row) => row.slice(0, 3)),
      );
}

function placesText({ places }: PlanReport): string {
  const rows = foldPlaces(places).flatMap(({ hosts, rows: own }) =>
    own.map(({ devices, place }, index) => [
      index === 0 ? foldNames(hosts) : "",
      devices.length === 0 ? "memory" : foldNames(devices),
      occupantsText(place.now),
      occupantsText(place.during),
      occupantsText(place.after),
      place.bytes === undefined ? "?" : gib(place.bytes),
      barsText(place),
    ]),
  );
  if (rows.length === 0) return "";
  const table = plainTable(["WHERE", "DEVICE", "NOW GiB", "PEAK DURING UP", "AFTER", "OF GiB", ""], rows);
  return [table, ...places.flatMap(foreignText)].join("\n");
}

function occupantsText(occupants: readonly Occupant[]): string {
  return occupants.length === 0 ? "free" : sharesOf(occupants).map(shareText).join("\n");
}

/** `2 chat' 41.6`: two new runners, which have so much together. */
function shareText({ deployment, isNew, count, bytes }: Share): string {
  return `${count === 1 ? "" : `${count} `}${deployment}${isNew ? "'" : ""} ${bytes === undefined ? "?" : gib(bytes)}`;
}

const barLength = 10;

function barsText(place: Place): string {
  const [now, after] = [barText(place, place.now), barText(place, place.after)];
  return now === after ? now : `${now} -> ${after}`;
}

/** `#` is Berth's, `x` is of others, `?` is taken and nobody knows how much of it. */
function barText({ bytes, foreignBytes }: Place, occupants: readonly Occupant[]): string {
  if (occupants.some((each) => each.bytes === undefined) || bytes === undefined)
    return `[${(occupants.length === 0 ? "." : "?").repeat(barLength)}]`;
  const part = (amount: number) => (amount === 0 ? 0 : Math.max(1, Math.round((amount / bytes) * barLength)));
  const foreign = Math.min(barLength, part(foreignBytes));
  const own = Math.min(barLength - foreign, part(sumOf(occupants)));
  return `[${"#".repeat(own)}${".".repeat(barLength - own - foreign)}${"x".repeat(foreign)}]`;
}

function foreignText({ host, device, foreignBytes, foreign }: Place): string[] {
  if (foreignBytes === 0 && foreign.length === 0) return [];
  const who = foreign.map(({ pid, name }) => `${name} (pid ${pid})`);
  const by = who.length === 0 ? "" : `, ${who.join(", ")}`;
  return [` foreign use: ${host} device ${device ?? ""}, ${gib(foreignBytes)} GiB${by}: left alone, counted as taken`];
}

function whyText(report: PlanReport): string {
  const reasons = deploymentReasons(report).map(({ name, texts }) => [name, texts.join("\n")]);
  const table = reasons.length === 0 ? [] : [plainTable(["WHY", ""], reasons)];
  const choices = report.choices.map((choice) => ` ${choice}`);
  return [...table, ...(choices.length === 0 ? [] : [["CHOSEN", ...choices].join("\n")])].join("\n\n");
}

function argumentsText({ deployments }: PlanReport): string {
  const lines = deployments.flatMap(({ arguments: changes }) =>
    changes.flatMap(({ instances, removed, added }) => [
      ` ${foldNames(instances)}`,
      ...(removed.length === 0 ? [] : [`   - ${removed.map(quote).join(" ")}`]),
      ...(added.length === 0 ? [] : [`   + ${added.map(quote).join(" ")}`]),
    ]),
  );
  return lines.length === 0 ? "" : ["ARGUMENTS", ...lines].join("\n");
}

/** Only to be read: what has blanks or control characters in it is told from its neighbours. */
function quote(argument: string): string {
  return /^[\w./:=,@%+-]+$/.test(argument) ? argument : JSON.stringify(argument);
}

function listText(title: string, sentences: readonly string[]): string {
  return listOf(
    title,
    sentences.flatMap((sentence) => sentence.split("\n").map((line, index) => `${index === 0 ? " " : "   "}${line}`)),
  );
}

function listOf(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : [title, ...lines].join("\n");
}

function endText(report: PlanReport): string {
  if (!report.isPending) return `${noChanges}\nExit code 0: nothing is pending.`;
  const isLockAlone = report.objects.length === 0;
  const what = isLockAlone ? "the lock alone would be written anew" : `objects: ${countsText(report)}`;
  return `${what}\nExit code 2: changes are pending.`;
}
