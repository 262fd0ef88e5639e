import { isMap, isNode, isScalar, isSeq, Scalar } from "yaml";
import type { Document, Node, YAMLMap, YAMLSeq } from "yaml";

import type { UpstreamChange, UpstreamImage } from "../catalog/runner-upstream.js";
import { compareVersions } from "../catalog/version.js";
import { fitsLine, parseFormatted, printFormatted } from "./formatted-yaml.js";

/** What of a merge is of one accelerator type. */
export interface FileMerge {
  readonly added: readonly UpstreamImage[];
  readonly changed: readonly UpstreamChange[];
  /** Names for people of all services. */
  readonly services: Readonly<Record<string, string>>;
}

/** A file of runner images with a merge applied. Comments, and all that the merge says nothing of, stay as they are. */
export function mergedRunnerText(text: string, { added, changed, services }: FileMerge): string {
  if (added.length + changed.length === 0) return text;
  const document = parseFormatted(text);
  for (const image of added) addImage(document, image, services);
  for (const change of changed) changeImage(document, change);
  return printFormatted(document);
}

/** A new image of a file, which may be none of a release. */
export interface NewImage {
  readonly acceleratorVersion: string;
  readonly variant: string | undefined;
  readonly service: string;
  readonly serviceVersion: string;
  readonly runtimeVersion: string | undefined;
  /** Left out where there is no such image yet. */
  readonly platforms?: readonly string[] | undefined;
  readonly deprecated?: boolean;
}

/** A file of runner images with one more image, and its service where that is new. */
export function addedImageText(text: string, image: NewImage, services: FileMerge["services"]): string {
  const document = parseFormatted(text);
  addImage(document, image, services);
  return printFormatted(document);
}

/** A build matrix with the rules of another one after its own. */
export function addedRulesText(text: string, other: string): string {
  const document = parseFormatted(text);
  const rules = parseFormatted(other).get("rules");
  for (const rule of isSeq(rules) ? rules.items : []) document.addIn(["rules"], rule);
  return printFormatted(document);
}

function addImage(document: Document, image: NewImage, services: FileMerge["services"]): void {
  const { acceleratorVersion, variant, service, serviceVersion, runtimeVersion, platforms, deprecated = false } = image;
  if (!document.hasIn(["services", service])) document.setIn(["services", service], services[service] ?? service);
  const images = mapAt(document, versionNode(document, acceleratorVersion, variant), "images");
  const entries = seqAt(document, images, service);
  sortServices(document, images);
  const node = document.createNode({
    version: quoted(serviceVersion),
    ...(runtimeVersion === undefined ? {} : { runtimeVersion: quoted(runtimeVersion) }),
    ...(platforms === undefined ? { published: false } : { platforms }),
    ...(deprecated ? { deprecated } : {}),
    listed: false,
  }) as YAMLMap;
  const index = entries.items.findIndex(
    (entry) => isMap(entry) && compareVersions(textOf(entry, "version"), serviceVersion) < 0,
  );
  entries.items.splice(index < 0 ? entries.items.length : index, 0, inOneLine(node));
}

function changeImage(document: Document, { image, ...change }: UpstreamChange): void {
  const images = mapAt(document, versionNode(document, image.acceleratorVersion, image.variant), "images");
  const entry = seqAt(document, images, image.service).items.find(
    (each): each is YAMLMap => isMap(each) && textOf(each, "version") === image.serviceVersion,
  );
  if (entry === undefined) return;
  const { platforms, runtimeVersion, published, deprecated } = change;
  if (runtimeVersion !== undefined) replace(entry, "runtimeVersion", quoted(runtimeVersion));
  if (platforms !== undefined) replace(entry, "platforms", flowList(document, platforms));
  if (published !== undefined) entry.set("published", published);
  if (deprecated !== undefined) entry.set("deprecated", deprecated);
  // It is another image now.
  if (platforms !== undefined || runtimeVersion !== undefined) remove(entry, "digest");
  if (entry.flow === true) inOneLine(entry);
}

/** Comments of a value that is replaced stay. */
function replace(entry: YAMLMap, key: string, node: Node): void {
  const before = entry.get(key, true);
  const { comment, commentBefore } = isNode(before) ? before : {};
  entry.set(key, Object.assign(node, { comment, commentBefore }));
}

/** Comments of a value that is taken away stand above its entry. */
function remove(entry: YAMLMap, key: string): void {
  const pair = entry.items.find((each) => String(each.key) === key);
  const nodes = [pair?.key, pair?.value].filter(isNode);
  entry.delete(key);
  const comments = [entry.commentBefore, ...nodes.flatMap((node) => [node.commentBefore, node.comment])];
  entry.commentBefore = comments.filter((text) => typeof text === "string").join("\n") || null;
}

/** The entry of a runtime's version and variant; a new one stands where the newest are first. */
function versionNode(document: Document, version: string, variant: string | undefined): YAMLMap {
  const root = document.contents;
  if (!isMap(root)) throw new Error("a file of runner images is a map");
  const versions = seqAt(document, root, "versions");
  const entries = versions.items.filter((each): each is YAMLMap => isMap(each));
  const found = entries.find(
    (each) => textOf(each, "version") === version && textOf(each, "variant") === (variant ?? ""),
  );
  if (found !== undefined) return found;
  const node = document.createNode({
    version: quoted(version),
    ...(variant === undefined ? {} : { variant: /^\d/.test(variant) ? quoted(variant) : variant }),
    images: {},
  }) as YAMLMap;
  const order = namesIn(document, "variants");
  const place = (each: YAMLMap) =>
    compareVersions(version, textOf(each, "version")) ||
    order.indexOf(textOf(each, "variant")) - order.indexOf(variant ?? "");
  const later = entries.find((each) => place(each) > 0);
  versions.items.splice(later === undefined ? versions.items.length : versions.items.indexOf(later), 0, node);
  return node;
}

/** In the order of the file's services. */
function sortServices(document: Document, images: YAMLMap): void {
  const order = namesIn(document, "services");
  images.items.sort((one, other) => order.indexOf(String(one.key)) - order.indexOf(String(other.key)));
}

/** Keys of a map of the document. */
function namesIn(document: Document, field: string): string[] {
  const map = document.getIn([field]);
  return isMap(map) ? map.items.map(({ key }) => String(key)) : [];
}

function mapAt(document: Document, parent: YAMLMap, key: string): YAMLMap {
  const found = parent.get(key);
  if (isMap(found)) return found;
  const node = document.createNode({}) as YAMLMap;
  parent.set(key, node);
  return node;
}

function seqAt(document: Document, parent: YAMLMap, key: string): YAMLSeq {
  const found = parent.get(key);
  // An empty list in brackets would have all that is put into it in one line.
  if (isSeq(found)) return Object.assign(found, found.items.length === 0 ? { flow: false } : {});
  const node = document.createNode([]) as YAMLSeq;
  parent.set(key, node);
  return node;
}

function flowList(document: Document, values: readonly string[]): Node {
  return document.createNode(values, { flow: true });
}

function textOf(map: YAMLMap, key: string): string {
  const value = map.get(key);
  return typeof value === "string" ? value : "";
}

function quoted(text: string): Scalar<string> {
  return Object.assign(new Scalar(text), { type: Scalar.QUOTE_DOUBLE });
}

/** As `{ ... }` and `[...]`, unless that is longer than a line. */
function inOneLine(node: YAMLMap): YAMLMap {
  const texts = node.items.map(({ key, value }) => {
    if (isSeq(value)) value.flow = true;
    const text = isSeq(value) ? `[${value.items.join(", ")}]` : String(value);
    return `${String(key)}: ${isScalar(value) && typeof value.value === "string" ? JSON.stringify(value.value) : text}`;
  });
  const deepest = "        - {  }";
  node.flow = fitsLine(deepest.length + texts.join(", ").length);
  return node;
}
