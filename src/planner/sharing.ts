/** What deployments on one host share has to be the same for all of them, and for what lies ready. Pure. */
import { digest } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import type { LockedEngine } from "../schema/lock.js";
import type { LockedModel } from "../schema/model.js";

/** What somebody needs of a host. */
export interface Use {
  /** What needs it: `deployment chat`. */
  readonly where: string;
  readonly host: string;
  readonly engine?: LockedEngine | undefined;
  readonly model?: LockedModel | undefined;
}

/** A model is on a host once, under one path, for all that want it. */
export function assertOneFileEach(uses: readonly Use[]): void {
  const places = new Map<string, { where: string; file: string }>();
  for (const { where, host, model } of uses) {
    if (model === undefined) continue;
    const file = model.from.source === "file" ? model.from.path : model.file;
    const key = `${host} ${model.sha256}`;
    const other = places.get(key) ?? { where, file };
    places.set(key, other);
    if (other.file === file) continue;
    throw inconsistent(
      where,
      `${other.where} has the same model on this host as another file`,
      file,
      other.file,
      "write the model the same in both",
    );
  }
}

/** A backend version is on a host once, installed in one way, for all that want it; images lie beside each other. */
export function assertOneInstallEach(uses: readonly Use[]): void {
  const places = new Map<string, { engine: LockedEngine; where: string }>();
  for (const { where, host, engine } of uses) {
    if (engine === undefined || engine.install.method === "image") continue;
    const key = `${host} ${engine.backend} ${engine.backendVersion}`;
    const other = places.get(key);
    if (other === undefined) places.set(key, { engine, where });
    else if (digest(other.engine.install) !== digest(engine.install))
      throw inconsistent(
        where,
        `${other.where} has ${engine.backend} ${engine.backendVersion} on this host in another way`,
        describeInstall(engine.install),
        describeInstall(other.engine.install),
        "say `install` the same in both, or name another version or host",
      );
  }
}

function describeInstall(install: LockedEngine["install"]): string {
  switch (install.method) {
    case "pipx":
      return `pipx, requirements ${install.requirements.sha256.slice(0, 12)}`;
    case "binary":
      return `binary, ${install.artifacts.map(({ sha256 }) => sha256.slice(0, 12)).join(", ")}`;
    case "manual":
      return install.sha256 === undefined ? "manual" : `manual, sha256 ${install.sha256.slice(0, 12)}`;
    case "image":
      return `image ${install.reference}`;
  }
}

function inconsistent(where: string, what: string, got: string, expected: string, hint: string): BerthError {
  return new BerthError("stack-inconsistent", { where, what, got, expected, hint });
}
