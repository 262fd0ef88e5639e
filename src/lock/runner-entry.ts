import { isAlias, isMap, isPair, isScalar, isSeq, Scalar, YAMLMap, YAMLSeq } from "yaml";
import type { Pair } from "yaml";

import { compareVersions } from "../catalog/version.js";
import { parseYaml } from "../schema/document.js";
import { runnerFile } from "../schema/runner.js";
import { fitsLine, printFormatted } from "./formatted-yaml.js";
import { addPair, keysUnder, listUnder, mapsOf, mapUnder, own, rootOf, textUnder, type YamlEdit } from "./yaml-edit.js";
import { printEdit } from "./yaml-splices.js";

/** Which image of a catalogue file is meant. */
export interface EntryName {
  readonly acceleratorVersion: string;
  readonly variant: string | undefined;
  readonly service: string;
  readonly serviceVersion: string;
}

/** What a file is to say of an image; what is undefined is left as it is. */
export interface EntryFields {
  readonly runtimeVersion?: string | undefined;
  readonly platforms?: readonly string[] | undefined;
  readonly published?: boolean | undefined;
  readonly deprecated?: boolean | undefined;
  readonly polished?: boolean | undefined;
  readonly listed?: boolean | undefined;
  readonly repository?: string | undefined;
  /** Null where it is not known any more. */
  readonly digest?: string | null | undefined;
}

/** In the order in which new ones stand. */
const fieldNames = [
  ...(["runtimeVersion", "platforms", "published", "deprecated", "polished", "listed"] as const),
  ...(["repository", "digest"] as const),
];

/** Of an image behind its dash, by how files are indented. */
const entryColumn = 10;

/** Changes what a file says of an image that it has. */
export function changeEntry(edit: YamlEdit, name: EntryName, fields: EntryFields): void {
  const { entries, found } = findEntry(edit, name);
  if (found === undefined) throw new Error(`the file lost ${name.service} ${name.serviceVersion}`);
  setFields(edit, found, fields);
  const { text, before } = edit;
  const [from = 0, to = 0] = found.range ?? [];
  const isOneLine = before.get(found)?.flow === true && !/[#\n]/.test(text.slice(from, to));
  if (isOneLine && entries.flow !== true && !fitsOneLine(found)) found.flow = false;
}

/** Puts an image before the first that is older, with what leads to it where that is missing. */
export function addEntry(edit: YamlEdit, name: EntryName, fields: EntryFields): void {
  const { entries } = findEntry(edit, name);
  const node = new YAMLMap();
  addPair(edit, node, "version", quoted(name.serviceVersion));
  setFields(edit, node, fields);
  node.flow = fitsOneLine(node);
  insertBefore(edit, entries, node, (map) => {
    return compareVersions(textUnder(edit, map, "version") ?? "", name.serviceVersion) < 0;
  });
}

/** Adds a service to those that the file has. */
export function addService(edit: YamlEdit, service: string, name: string): void {
  if (keysUnder(edit, rootOf(edit), "services").includes(service)) return;
  addPair(edit, mapUnder(edit, rootOf(edit), "services"), service, new Scalar(name));
}

/** The file as it is changed. What cannot be read is not written. */
export function printRunnerFile(edit: YamlEdit): string {
  const text = printEdit(edit);
  parseYaml(text, edit.file, runnerFile);
  return text;
}

function findEntry(edit: YamlEdit, name: EntryName) {
  const images = mapUnder(edit, versionNode(edit, name), "images");
  const entries = entriesOf(edit, images, name.service);
  const { item } =
    mapsOf(edit, entries).find(({ map }) => textUnder(edit, map, "version") === name.serviceVersion) ?? {};
  const found = own(edit, item);
  return { entries, found: isMap(found) ? found : undefined };
}

/** The entry of a runtime's version and variant; a new one stands where the newest are first. */
function versionNode(edit: YamlEdit, { acceleratorVersion: version, variant }: EntryName): YAMLMap {
  const versions = listUnder(edit, rootOf(edit), "versions");
  const isSame = (map: YAMLMap) =>
    textUnder(edit, map, "version") === version && textUnder(edit, map, "variant") === variant;
  const found = own(edit, mapsOf(edit, versions).find(({ map }) => isSame(map))?.item);
  if (isMap(found)) return found;
  const node = new YAMLMap();
  addPair(edit, node, "version", quoted(version));
  if (variant !== undefined)
    addPair(edit, node, "variant", /^\d/.test(variant) ? quoted(variant) : new Scalar(variant));
  const order = keysUnder(edit, rootOf(edit), "variants");
  const placeOf = (name: string | undefined) => order.indexOf(name ?? "");
  insertBefore(edit, versions, node, (map) => {
    const newer = compareVersions(version, textUnder(edit, map, "version") ?? "");
    return (newer || placeOf(textUnder(edit, map, "variant")) - placeOf(variant)) > 0;
  });
  return node;
}

/** The images of a service; a new service stands in the order of the file's services. */
function entriesOf(edit: YamlEdit, images: YAMLMap, service: string): YAMLSeq {
  const order = keysUnder(edit, rootOf(edit), "services");
  const placeOf = (key: unknown) => order.indexOf(isScalar(key) ? String(key.value) : "");
  const entries = listUnder(edit, images, service);
  const pair = images.items.find(({ value }) => value === entries);
  if (pair === undefined || edit.before.get(images)?.items.includes(pair) === true) return entries;
  images.items.splice(images.items.indexOf(pair), 1);
  const later = images.items.findIndex(({ key }) => placeOf(key) > order.indexOf(service));
  images.items.splice(later < 0 ? images.items.length : later, 0, pair);
  return entries;
}

function insertBefore(edit: YamlEdit, list: YAMLSeq, node: YAMLMap, isLater: (map: YAMLMap) => boolean): void {
  const later = mapsOf(edit, list).find(({ map }) => isLater(map));
  list.items.splice(later === undefined ? list.items.length : list.items.indexOf(later.item), 0, node);
}

function setFields(edit: YamlEdit, entry: YAMLMap, fields: EntryFields): void {
  for (const name of fieldNames) {
    const value = fields[name];
    if (value === null) removeField(entry, name);
    else if (name === "platforms" && fields.platforms !== undefined) setPlatforms(edit, entry, fields.platforms);
    else if (typeof value === "boolean" || typeof value === "string")
      setField(edit, entry, name, name === "runtimeVersion" ? quoted(String(value)) : new Scalar(value));
  }
}

function setField(edit: YamlEdit, entry: YAMLMap, name: string, node: Scalar): void {
  const pair = fieldOf(entry, name);
  if (pair === undefined) addPair(edit, entry, name, node);
  else if (!isScalar(pair.value) || pair.value.value !== node.value) pair.value = node;
}

function removeField(entry: YAMLMap, name: string): void {
  const pair = fieldOf(entry, name);
  if (pair !== undefined) entry.items.splice(entry.items.indexOf(pair), 1);
}

/** Those that stay are left where they are. */
function setPlatforms(edit: YamlEdit, entry: YAMLMap, platforms: readonly string[]): void {
  const list = own(edit, fieldOf(entry, "platforms")?.value);
  if (!isSeq(list)) {
    const items = platforms.map((platform) => new Scalar(platform));
    addPair(edit, entry, "platforms", Object.assign(new YAMLSeq(), { items, flow: true }));
    return;
  }
  const told = (item: unknown) => {
    const node = isAlias(item) ? item.resolve(edit.document) : item;
    return isScalar(node) ? String(node.value) : "";
  };
  const kept = list.items.filter((item) => platforms.includes(told(item)));
  const added = platforms.filter((platform) => !kept.some((item) => told(item) === platform));
  list.items = [...kept, ...added.map((platform) => new Scalar(platform))];
}

function fieldOf(entry: YAMLMap, name: string): Pair | undefined {
  return entry.items.find((one): one is Pair => isPair(one) && isScalar(one.key) && one.key.value === name);
}

function quoted(text: string): Scalar<string> {
  return Object.assign(new Scalar(text), { type: Scalar.QUOTE_DOUBLE });
}

/** As `{ ... }`, unless that is longer than a line. */
function fitsOneLine(entry: YAMLMap): boolean {
  const bare = Object.assign(new YAMLMap(), { items: entry.items, flow: true });
  const [line = "", ...more] = printFormatted(bare);
  return more.length === 0 && fitsLine(entryColumn + line.length);
}
