/** The way in which a backend version comes on a host. Pure. */
import { BerthError } from "../lib/errors.js";
import type { BackendVersionEntry, BinaryArtifact } from "../schema/backend.js";
import type { DraftInstall } from "./artifact.js";
import { askFor, restrictInstall } from "./backend-choice.js";
import type { ResolvedBackend } from "./catalogue.js";
import type { EngineProblem } from "./release-problem.js";
import type { ChosenRunnerImage } from "./runner-install.js";
import { chooseInstall, isHostSystem, type InstallChoice, type Platform } from "./selection.js";

export type ChosenWay = Extract<InstallChoice, { ok: true }>;

/** The image of the catalogue, where it is one. */
export function runnerOf(way: ChosenWay): { runnerImage?: ChosenRunnerImage } {
  return way.method === "image" && way.runnerImage !== undefined ? { runnerImage: way.runnerImage } : {};
}

/** What whoever takes it should know, one sentence each. */
export function runnerNotes(way: ChosenWay, where: string): string[] {
  const { runnerImage } = runnerOf(way);
  return runnerImage?.notes.map((note) => `${where}: ${runnerImage.tag}: ${note}`) ?? [];
}

/** How the version is installed on the host; where it has nothing for the host's devices, for its processor. */
export function chooseWay(problem: EngineProblem, chosen: ResolvedBackend): { way: ChosenWay; onCpu: boolean } {
  const { platform, deployment } = problem;
  const { backend, version } = chosen;
  const entry = restrictInstall(chosen.entry, deployment);
  const choose = (on: Platform) =>
    chooseInstall(entry, on, deployment.install, backend.installOrder, askFor(problem, version));
  const way = choose(platform);
  if (way.ok) return { way, onCpu: false };
  const other = choose({ ...platform, acceleratorType: "cpu" });
  if (other.ok) return { way: other, onCpu: true };
  throw noInstall(problem, chosen, way.reasons);
}

/** The artifact, with what of it is not pinned yet. */
export function draftInstall(
  { backend: { versionProbe }, version, entry }: ResolvedBackend,
  { acceleratorType }: Platform,
  way: ChosenWay,
): DraftInstall {
  const probe = versionProbe === undefined ? {} : { versionProbe };
  switch (way.method) {
    case "pipx":
      return { method: "pipx", pipx: way.pipx, version };
    case "binary":
      return { method: "binary", artifacts: filesFor(entry, acceleratorType) };
    case "manual": {
      const { sha256 } = way.manual;
      return { method: "manual", ...(sha256 === undefined ? {} : { sha256 }), ...probe };
    }
    case "image": {
      const { reference, digest, signature } = way.image;
      const pin = digest === undefined ? {} : { digest };
      const runner = way.runnerImage === undefined ? {} : { runnerImage: way.runnerImage.locked };
      return { method: "image", reference, ...pin, ...(signature === undefined ? {} : { signature }), ...runner };
    }
  }
}

/** The release is the same in every environment, so it has the files of all platforms of hosts; of each platform one. */
function filesFor(
  { install: { binary = [] } }: BackendVersionEntry,
  acceleratorType: Platform["acceleratorType"],
): BinaryArtifact[] {
  const fitting = binary.filter(
    ({ os, acceleratorTypes = ["cpu"] }) => isHostSystem(os) && acceleratorTypes.includes(acceleratorType),
  );
  const isFirst = (file: BinaryArtifact) =>
    fitting.find(({ os, arch }) => os === file.os && arch === file.arch) === file;
  return fitting.filter(isFirst);
}

function noInstall(
  { deployment, platform, where }: EngineProblem,
  { backend, version }: ResolvedBackend,
  reasons: readonly string[],
): BerthError {
  const { os, arch, acceleratorType } = platform;
  return new BerthError("host-unsuitable", {
    where,
    what: `${backend.name} ${version} cannot be installed on the host`,
    got: `${os}, ${arch}, ${acceleratorType}${deployment.install === undefined ? "" : `, install: ${deployment.install}`}`,
    hint: "choose another version, host or way to install; `berth backend show` lists what there is",
    detail: reasons.join("\n"),
  });
}
