import { isMap, isNode, isPair, isScalar, isSeq, parseDocument, type Pair, type YAMLMap, type YAMLSeq } from "yaml";

import { compareVersions } from "../catalog/version.js";
import { parseYaml } from "../schema/document.js";
import { runnerFile } from "../schema/runner.js";

/** What a catalogue file is to say of an image. */
export interface RunnerEntry {
  readonly acceleratorVersion: string;
  readonly variant: string | undefined;
  readonly service: string;
  readonly serviceVersion: string;
  readonly runtimeVersion: string;
  readonly platforms: readonly string[];
  readonly digest: string;
  /** Where it is, without its tag: `registry.example.net/team/runner`. */
  readonly repository: string;
  /** Whether it was changed in place under its tag. */
  readonly polished: boolean;
}

type Fields = readonly (readonly [key: string, value: string])[];

/**
 * The text of a file of `backends/runners` with an image in it, or with what is known now of one that is there. All else
 * stays as it was written, comments too.
 *
 * @throws BerthError `file-invalid` if the text is no such file
 */
export function writeRunnerEntry(text: string, file: string, entry: RunnerEntry): string {
  const { repository } = parseYaml(text, file, runnerFile);
  const before = find(text, entry).entry;
  const isElsewhere = entry.repository !== repository || before?.has("repository") === true;
  const known: Fields = [
    ...(before?.get("published") === false ? [["published", "true"] as const] : []),
    ["runtimeVersion", JSON.stringify(entry.runtimeVersion)],
    ["platforms", `[${entry.platforms.join(", ")}]`],
    ...(entry.polished ? [["polished", "true"] as const] : []),
    ...(isElsewhere ? [["repository", entry.repository] as const] : []),
    ["digest", entry.digest],
  ];
  const version: Fields = [["version", JSON.stringify(entry.serviceVersion)]];
  const written = before === undefined ? insert(text, entry, [...version, ...known]) : update(text, entry, known);
  parseYaml(written, file, runnerFile);
  return written;
}

/** The nodes that lead to an image, as far as they are there. */
function find(text: string, { acceleratorVersion, variant, service, serviceVersion }: RunnerEntry) {
  const document = parseDocument(text, { version: "1.2" });
  const versions = document.get("versions");
  const version = mapsOf(versions).find(
    (one) => one.get("version") === acceleratorVersion && (one.get("variant") ?? undefined) === variant,
  );
  const images = version?.get("images");
  const entries = isMap(images) ? images.get(service) : undefined;
  const entry = mapsOf(entries).find((one) => one.get("version") === serviceVersion);
  return { versions: isSeq(versions) ? versions : undefined, images, entries, entry };
}

/** One field after the other, since each moves what stands behind it. */
function update(text: string, entry: RunnerEntry, fields: Fields): string {
  return fields.reduce((before, [key, value]) => {
    const { entry: node } = find(before, entry);
    return node === undefined ? before : setField(before, node, key, value);
  }, text);
}

function setField(text: string, node: YAMLMap, key: string, value: string): string {
  const pair = node.items.find((one) => isScalar(one.key) && one.key.value === key);
  if (pair !== undefined && isNode(pair.value)) return splice(text, beginOf(pair.value), endOf(pair), value);
  const last = node.items.at(-1);
  if (node.flow !== true)
    return splice(text, endOf(last), endOf(last), `\n${" ".repeat(columnOf(text, beginOf(node)))}${key}: ${value}`);
  const [from = 0, to = 0] = node.range ?? [];
  const inside = text.slice(from, to);
  // A line of its own would be too long: as a block. Where it has comments it stays as it is.
  if (/[#\n]/.test(inside)) return splice(text, endOf(last), endOf(last), `, ${key}: ${value}`);
  const fields = node.items.map((one) => text.slice(beginOf(one), endOf(one)));
  return splice(text, from, to, [...fields, `${key}: ${value}`].join(`\n${" ".repeat(columnOf(text, from))}`));
}

/** Newest first, with what leads to it where that is missing. */
function insert(text: string, entry: RunnerEntry, fields: Fields): string {
  const { versions, images, entries } = find(text, entry);
  const { acceleratorVersion, variant, service, serviceVersion } = entry;
  if (isSeq(entries)) return insertItem(text, entries, fields, serviceVersion);
  const lines = listed(fields);
  const block = [`${service}:`, ...lines.map((line) => `  ${line}`)];
  if (isMap(images) && images.flow !== true) {
    const indent = " ".repeat(columnOf(text, beginOf(images)));
    return splice(text, lineEnd(text, deepEnd(images)), undefined, block.map((line) => `\n${indent}${line}`).join(""));
  }
  const above: Fields = [
    ["version", JSON.stringify(acceleratorVersion)],
    ...(variant === undefined ? [] : [["variant", variant] as const]),
    ["images", `\n${block.map((line) => `    ${line}`).join("\n")}`],
  ];
  if (versions !== undefined && versions.flow !== true) return insertItem(text, versions, above, acceleratorVersion);
  const document = parseDocument(text, { version: "1.2" });
  document.setIn(["versions"], document.createNode([]));
  const emptied = document.toString({ lineWidth: 0 }).replace(/^versions: \[\s*\]/m, "versions:");
  return `${emptied.trimEnd()}\n${listed(above)
    .map((line) => `  ${line}`)
    .join("\n")}\n`;
}

/** Before the first that is older, and before its comment; else behind the last. */
function insertItem(text: string, list: YAMLSeq, fields: Fields, version: string): string {
  const older = mapsOf(list).find((one) => compareVersions(String(one.get("version")), version) < 0);
  const [first] = mapsOf(list);
  const indent = " ".repeat(Math.max(0, columnOf(text, beginOf(first)) - 2));
  const lines = listed(fields).flatMap((line) => line.split("\n"));
  const item = lines.map((line) => `${indent}${line}`).join("\n");
  if (older === undefined) {
    const last = mapsOf(list).at(-1);
    return splice(text, lineEnd(text, deepEnd(last)), undefined, `\n${item}`);
  }
  let begin = lineBegin(text, beginOf(older));
  for (
    let above = lineBegin(text, begin - 1);
    /^\s*#/.test(text.slice(above, begin));
    above = lineBegin(text, begin - 1)
  )
    begin = above;
  return splice(text, begin, undefined, `${item}\n`);
}

/** Lines of an item of a list. */
function listed(fields: Fields): string[] {
  return fields.flatMap(([key, value], index) => {
    const [first = "", ...rest] = `${key}: ${value}`.split("\n");
    return [`${index === 0 ? "- " : "  "}${first.trimEnd()}`, ...rest];
  });
}

function mapsOf(node: unknown): YAMLMap[] {
  return isSeq(node) ? node.items.filter((one): one is YAMLMap => isMap(one)) : [];
}

function splice(text: string, from: number, to: number | undefined, inserted: string): string {
  return `${text.slice(0, from)}${inserted}${text.slice(to ?? from)}`;
}

function beginOf(node: unknown): number {
  const found = isPair(node) ? node.key : node;
  return isNode(found) ? (found.range?.[0] ?? 0) : 0;
}

function endOf(pair: Pair | undefined): number {
  const found = pair?.value ?? pair?.key;
  return isNode(found) ? (found.range?.[1] ?? 0) : 0;
}

/** Where the last value in a node ends, of blocks without the line's end. */
function deepEnd(node: unknown): number {
  if (isMap(node) && node.flow !== true) return deepEnd(node.items.at(-1)?.value);
  if (isSeq(node) && node.flow !== true) return deepEnd(node.items.at(-1));
  return isNode(node) ? (node.range?.[1] ?? 0) : 0;
}

function lineBegin(text: string, offset: number): number {
  return text.lastIndexOf("\n", offset - 1) + 1;
}

/** The end of an offset's line, so that a comment behind it stays with it. */
function lineEnd(text: string, offset: number): number {
  const end = text.indexOf("\n", Math.max(0, offset - 1));
  return end < 0 ? text.length : end;
}

function columnOf(text: string, offset: number): number {
  return offset - lineBegin(text, offset);
}
