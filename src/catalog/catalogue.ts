import type { Json } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import type { BackendFile, BackendVersionEntry } from "../schema/backend.js";

/** All backends that a project can use, with the files beside them. */
export interface Catalogue {
  readonly backends: Readonly<Record<string, BackendFile>>;
  /** What each backend's files say, without defaults. */
  readonly written: Readonly<Record<string, Json>>;
  /** SHA-256 of each file in a `backends` folder, by its path below the folder. */
  readonly files: Readonly<Record<string, string>>;
}

export interface ResolvedBackend {
  readonly backend: BackendFile;
  readonly version: string;
  readonly entry: BackendVersionEntry;
}

/**
 * A backend and one of its versions; the backend's default version when none is named.
 *
 * @param where what names the backend, for errors
 */
export function findBackend(
  catalogue: Catalogue,
  name: string,
  version: string | undefined,
  where: string,
): ResolvedBackend {
  const backend = lookUp(catalogue.backends, name);
  if (backend === undefined) {
    throw new BerthError("backend-unknown", {
      where,
      what: "no backend has this name",
      got: name,
      expected: Object.keys(catalogue.backends).sort().join(", "),
      hint: "correct the name, or add a file backends/NAME.yaml",
    });
  }
  const wanted = version ?? backend.defaultVersion;
  const entry = lookUp(backend.versions, wanted);
  if (entry === undefined) {
    throw new BerthError("backend-unknown", {
      where,
      what: `the backend ${name} has no such version`,
      got: wanted,
      expected: Object.keys(backend.versions).join(", "),
      hint: `choose one of these, or add it to backends/${name}.yaml`,
    });
  }
  return { backend, version: wanted, entry };
}

/** Two catalogues as one: of a backend that both have, the second's fields count, and the versions of both. */
export function mergeCatalogues(base: Catalogue, over: Catalogue): Catalogue {
  const backends = { ...base.backends };
  for (const [name, backend] of Object.entries(over.backends)) {
    const below = lookUp(base.backends, name);
    backends[name] =
      below === undefined ? backend : { ...backend, versions: { ...below.versions, ...backend.versions } };
  }
  const written = { ...base.written };
  for (const [name, text] of Object.entries(over.written)) {
    const below = lookUp(base.written, name);
    written[name] = below === undefined ? text : [below, text];
  }
  return { backends, written, files: { ...base.files, ...over.files } };
}
