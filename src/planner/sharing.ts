/** What deployments on one host share has to be the same for all of them. Pure. */
import { digest } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import type { LockedDeployment, PlacedInstance } from "../schema/lock.js";

type Releases = Readonly<Record<string, LockedDeployment>>;

/** A model is on a host once, under one path, for all that want it. */
export function assertOneFileEach(release: Releases, instances: readonly PlacedInstance[]): void {
  const places = new Map<string, { deployment: string; file: string }>();
  for (const { deployment, host } of instances) {
    const model = release[deployment]?.model;
    if (model === undefined) continue;
    const file = model.from.source === "file" ? model.from.path : model.file;
    const key = `${host} ${model.sha256}`;
    const other = places.get(key) ?? { deployment, file };
    places.set(key, other);
    if (other.file === file) continue;
    throw inconsistent(
      deployment,
      `deployment ${other.deployment} has the same model on this host as another file`,
      file,
      other.file,
      "write the model the same in both",
    );
  }
}

/** A backend version is on a host once, installed in one way, for all that want it. */
export function assertOneInstallEach(release: Releases, instances: readonly PlacedInstance[]): void {
  const places = new Map<string, LockedDeployment & { deployment: string }>();
  for (const { deployment, host } of instances) {
    const wanted = release[deployment];
    if (wanted === undefined) continue;
    const key = `${host} ${wanted.backend} ${wanted.backendVersion}`;
    const other = places.get(key);
    if (other === undefined) places.set(key, { ...wanted, deployment });
    else if (digest(other.install) !== digest(wanted.install))
      throw inconsistent(
        deployment,
        `deployment ${other.deployment} has ${wanted.backend} ${wanted.backendVersion} on this host in another way`,
        describeInstall(wanted.install),
        describeInstall(other.install),
        "say `install` the same in both, or name another version or host",
      );
  }
}

function describeInstall(install: LockedDeployment["install"]): string {
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

function inconsistent(deployment: string, what: string, got: string, expected: string, hint: string): BerthError {
  return new BerthError("stack-inconsistent", { where: `deployment ${deployment}`, what, got, expected, hint });
}
