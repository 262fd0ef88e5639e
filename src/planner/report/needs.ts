/** What each host needs to have before anything starts, and what of it is there. */
import { imageOrigin, indexOrigin, modelOrigin, releaseOrigin } from "../../catalog/origins.js";
import { filesOf } from "../../model/repository.js";
import type { LockFile } from "../../schema/lock.js";
import type { DesiredBackendVersion, DesiredModel, DesiredStack } from "../desired.js";
import { foldNames } from "./names.js";
import type { SeenObject } from "./seen.js";
import type { HostStore, HostStores } from "./stores.js";

/** A download of one host. */
export interface Need {
  readonly host: string;
  readonly kind: "backend" | "model";
  readonly what: string;
  /** Its size; undefined when nobody tells it before. */
  readonly bytes: number | undefined;
  /** What of it is not on the host. */
  readonly missingBytes: number | undefined;
  readonly isThere: boolean;
  readonly origin: string;
  /** Which of the host's file systems it goes to. */
  readonly disk: "data" | "images";
}

/** Fields of which another value is another download. */
const contents = new Set([
  "artifacts",
  "digest",
  "requirements",
  "package",
  "packageVersion",
  "from",
  "sha256",
  "file",
]);

interface Known {
  readonly lock: LockFile;
  readonly stores: HostStores;
  /** Sizes of models, by their identity, as the state has them. */
  readonly sizes: ReadonlyMap<string, number>;
}

export function needsOf(
  objects: readonly SeenObject[],
  desired: DesiredStack,
  { lock, stores }: Pick<Known, "lock" | "stores">,
): Need[] {
  const sizes = new Map(
    objects.flatMap(({ model }) => (model === undefined ? [] : [[model.sha256, model.bytes] as const])),
  );
  const known = { lock, stores, sizes };
  const wanted = new Set(objects.filter(isFetched).map(({ kind, name }) => `${kind} ${name}`));
  return [
    ...desired.backendVersions
      .filter(({ name }) => wanted.has(`BackendVersion ${name}`))
      .flatMap((version) => backendNeed(version, known)),
    ...desired.models
      .filter(({ name }) => wanted.has(`ModelFiles ${name}`))
      .flatMap((model) => modelNeed(model, known)),
  ];
}

function isFetched({ change, fields, drift }: SeenObject): boolean {
  if (change === "create" || change === "replace") return true;
  return change === "update" && (drift.length > 0 || fields.some((field) => contents.has(field)));
}

function backendNeed(wanted: DesiredBackendVersion, { lock, stores }: Known): Need[] {
  const { backend, version, install, host } = wanted;
  const store = stores[host.name];
  const need = { kind: "backend" as const, host: host.name, what: `${backend} ${version}`, disk: "data" as const };
  switch (install.method) {
    case "manual":
      return [];
    case "pipx": {
      const { sha256 } = install.requirements;
      const bytes = Object.values(stores).flatMap(({ wheels }) => wheels.get(sha256) ?? [])[0];
      const isThere = store?.wheels.has(sha256) === true;
      const what = `${need.what} and the Python packages that it needs`;
      return [{ ...need, what, ...whole(bytes, isThere), origin: indexOrigin(wanted.indexUrl) }];
    }
    case "image": {
      const { reference, digest } = install;
      const { facts } = lock.placement.hosts[host.name] ?? {};
      const bytes = imageBytes(lock, digest, facts?.arch);
      const isThere = store?.images.has(digest) === true;
      const what = `${reference}@${digest.slice(0, 19)}`;
      const origin = imageOrigin(wanted.image?.pullFrom ?? reference);
      return [{ ...need, what, ...whole(bytes, isThere), origin, disk: "images" }];
    }
    case "binary":
      return install.artifacts.slice(0, 1).map(({ url, sha256, sizeBytes }) => ({
        ...need,
        ...filesNeed([{ sha256, sizeBytes }], store),
        origin: releaseOrigin(url, wanted.downloadBaseUrl),
      }));
  }
}

/** An image counts as a whole: which of its layers others have brought is not known before. */
function whole(bytes: number | undefined, isThere: boolean): Pick<Need, "bytes" | "missingBytes" | "isThere"> {
  return { bytes, isThere, missingBytes: isThere ? 0 : bytes };
}

function imageBytes(lock: LockFile, wanted: string, arch: "x64" | "arm64" | undefined): number | undefined {
  const engines = [...Object.values(lock.release), ...Object.values(lock.preload ?? {}).map(({ engine }) => engine)];
  const found = engines.flatMap((engine) => (engine?.install.method === "image" ? [engine.install] : []));
  const platforms = found.find(({ digest }) => digest === wanted)?.platforms;
  return platforms?.[arch === "arm64" ? "linux/arm64" : "linux/amd64"]?.sizeBytes;
}

function modelNeed({ model, host, indexUrl, hubEndpoint }: DesiredModel, { stores, sizes }: Known): Need[] {
  const { from, sha256, file } = model;
  const origin = modelOrigin(from, { indexUrl, hubEndpoint });
  if (from.source === "file" || origin === undefined) return [];
  const need = { kind: "model" as const, host: host.name, origin, disk: "data" as const };
  const elsewhere = Object.values(stores).flatMap(({ files }) => files.get(sha256) ?? [])[0];
  const known = filesOf(model).map((each) => ({
    ...each,
    sizeBytes: each.sizeBytes ?? sizes.get(sha256) ?? elsewhere,
  }));
  const missing = filesNeed(known, stores[host.name]);
  switch (from.source) {
    case "huggingface":
      return [{ ...need, ...missing, what: `${from.repo}@${from.commit.slice(0, 7)}` }];
    case "url":
      return [{ ...need, ...missing, what: `${file} (sha256 ${sha256.slice(0, 12)})` }];
    case "wheels":
      return [{ ...need, ...missing, what: `${file} of ${foldNames(from.wheels.map(({ name }) => name))}` }];
  }
}

interface WantedFile {
  readonly sha256: string;
  readonly sizeBytes?: number | undefined;
}

/** The same file of several folders comes once. */
function filesNeed(
  files: readonly WantedFile[],
  store: HostStore | undefined,
): Pick<Need, "bytes" | "missingBytes" | "isThere"> {
  const distinct = [...new Map(files.map((file) => [file.sha256, file])).values()];
  const missing = distinct.filter(({ sha256 }) => store?.files.has(sha256) !== true);
  const left = missing.map(({ sha256, sizeBytes }) =>
    sizeBytes === undefined ? undefined : Math.max(0, sizeBytes - (store?.begun.get(sha256) ?? 0)),
  );
  const sizes = files.map(({ sizeBytes }) => sizeBytes);
  return { bytes: total(sizes), missingBytes: total(left), isThere: missing.length === 0 };
}

/** Undefined where one of them is not known. */
export function total(sizes: readonly (number | undefined)[]): number | undefined {
  const known = sizes.filter((size) => size !== undefined);
  return known.length < sizes.length ? undefined : known.reduce((sum, size) => sum + size, 0);
}
