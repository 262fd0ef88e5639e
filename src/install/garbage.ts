/** Which things on a host nobody wants any more, beside models. Pure. */
import { posix } from "node:path";

import { executableName } from "../host/paths.js";

export type StoredKind = "backend" | "download" | "image" | "engine cache";

/** Something that Berth has put on a host and that takes room there. */
export interface StoredThing {
  readonly kind: StoredKind;
  /** For people. */
  readonly name: string;
  /** What it belongs to, as {@link references} names it: one that is wanted keeps it. */
  readonly references: readonly string[];
  /** Who uses it now, whatever is wanted: runners and containers. */
  readonly heldBy: readonly string[];
  readonly sizeBytes: number;
  /** When something of it was last put there or changed. */
  readonly lastUsed: Date;
}

/** A backend version that a lock has on the host. */
export interface WantedVersion {
  readonly backend: string;
  readonly version: string;
  readonly install:
    | { readonly method: "pipx"; readonly requirements: { readonly sha256: string } }
    | { readonly method: "binary"; readonly artifacts: readonly { readonly sha256: string }[] }
    | { readonly method: "manual" }
    | { readonly method: "image"; readonly digest: string };
}

/** The one way in which what is stored and what is wanted are named; as the journal names what resources use. */
export const references = {
  backend: (backend: string, version: string) => posix.join("backends", executableName(backend, version)),
  image: (digest: string) => posix.join("images", digest.replace(/^sha256:/, "")),
  content: (sha256: string) => `content/${sha256}`,
  engineCache: (backend: string) => `engines/${backend}`,
};

/** All that is wanted: what resources of any stack use, by the journal, and what locks would put there again. */
export function wantedReferences(
  entries: readonly { readonly uses: string }[],
  versions: readonly WantedVersion[],
): ReadonlySet<string> {
  return new Set([...entries.map(({ uses }) => uses), ...versions.flatMap(referencesOf)]);
}

function referencesOf({ backend, version, install }: WantedVersion): string[] {
  const own = [references.backend(backend, version), references.engineCache(backend)];
  switch (install.method) {
    case "pipx":
      return [...own, references.content(install.requirements.sha256)];
    case "binary":
      return [...own, ...install.artifacts.map(({ sha256 }) => references.content(sha256))];
    case "image":
      return [references.engineCache(backend), references.image(install.digest)];
    case "manual":
      return own;
  }
}

export function chooseGarbage<Thing extends StoredThing>(
  stored: readonly Thing[],
  wanted: ReadonlySet<string>,
): Thing[] {
  return stored.filter(({ heldBy, references }) => heldBy.length === 0 && !references.some((each) => wanted.has(each)));
}
