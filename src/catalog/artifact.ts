/** From a catalogue's entries to artifacts as a lock holds them. Pure. */
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import type { BackendFile, BinaryArtifact, PipxInstall } from "../schema/backend.js";
import type { LockedInstall } from "../schema/lock.js";
import type { LockedRunnerImage } from "../schema/runner-image.js";
import type { ImageSignature, LockedFileSignature } from "../schema/signature.js";
import type { Catalogue } from "./catalogue.js";

/** An artifact, with what of it is not pinned yet. */
export type DraftInstall =
  | Extract<LockedInstall, { method: "manual" }>
  | {
      readonly method: "image";
      readonly reference: string;
      readonly digest?: string;
      readonly signature?: ImageSignature;
      /** Of an image of the catalogue. What was locked of its tag counts before the digest here. */
      readonly runnerImage?: LockedRunnerImage;
    }
  | { readonly method: "pipx"; readonly pipx: PipxInstall; readonly version: string }
  | { readonly method: "binary"; readonly artifacts: readonly BinaryArtifact[] }
  /** Another environment has settled it. */
  | { readonly method: "locked"; readonly install: LockedInstall };

/** A file beside a backend file, or beside a lock, exactly. */
export interface PinnedFile {
  readonly file: string;
  readonly sha256: string;
}

/** What pins a file of a release. */
export interface FilePin {
  readonly sha256: string;
  readonly signature?: LockedFileSignature | undefined;
}

/**
 * The artifact as the catalogue pins it; undefined when something of it is not pinned there. Signatures never are.
 *
 * @throws BerthError `file-not-found` when a file that the backend names is not there
 */
export function pinnedInstall(
  catalogue: Catalogue,
  backend: BackendFile,
  install: DraftInstall,
): LockedInstall | undefined {
  switch (install.method) {
    case "manual":
      return install;
    case "locked":
      return install.install;
    case "image": {
      const { method, reference, digest, signature, runnerImage } = install;
      const isLookedUp = digest === undefined || signature !== undefined || runnerImage !== undefined;
      return isLookedUp ? undefined : { method, reference, digest };
    }
    case "pipx": {
      const { requirements } = install.pipx;
      if (requirements === undefined) return undefined;
      return lockPipx(catalogue, backend, install.pipx, findFile(catalogue, backend, requirements));
    }
    case "binary": {
      const pins = install.artifacts.flatMap(({ sha256, signature }): FilePin[] =>
        sha256 === undefined || signature !== undefined ? [] : [{ sha256 }],
      );
      return pins.length < install.artifacts.length ? undefined : lockBinary(backend, install.artifacts, pins);
    }
  }
}

/** A pipx installation with its requirements, wherever they were locked. */
export function lockPipx(
  catalogue: Catalogue,
  backend: BackendFile,
  { package: name, packageVersion, command, python, launcher }: PipxInstall,
  requirements: PinnedFile,
): Extract<LockedInstall, { method: "pipx" }> {
  return {
    method: "pipx",
    package: name,
    requirements,
    ...(packageVersion === undefined ? {} : { packageVersion }),
    ...(command === undefined ? {} : { command }),
    python,
    ...(launcher === undefined ? {} : { launcher: findFile(catalogue, backend, launcher) }),
  };
}

/** A release's files with what pins them, in the files' order. */
export function lockBinary(
  { versionProbe }: BackendFile,
  artifacts: readonly BinaryArtifact[],
  pins: readonly FilePin[],
): Extract<LockedInstall, { method: "binary" }> {
  const files = artifacts.map(({ acceleratorTypes: _, signature: _asked, ...artifact }, index) => {
    const { sha256 = "", signature } = pins[index] ?? {};
    return { ...artifact, sha256, ...(signature === undefined ? {} : { signature }) };
  });
  return { method: "binary", artifacts: files, ...(versionProbe === undefined ? {} : { versionProbe }) };
}

/** The version of the engine's package: the backend's without a leading `v`, unless its file says another. */
export function packageVersionOf(
  { packageVersion }: { packageVersion?: string | undefined },
  backendVersion: string,
): string {
  return packageVersion ?? backendVersion.replace(/^v(?=\d)/, "");
}

/**
 * A file that a backend file names, exactly.
 *
 * @throws BerthError `file-not-found` when it is not there
 */
export function findFile(catalogue: Catalogue, backend: BackendFile, file: string): PinnedFile {
  const found = lookUp(catalogue.files, file);
  if (found !== undefined) return { file, sha256: found };
  throw new BerthError("file-not-found", {
    where: `backends/${backend.name}.yaml`,
    what: "the backend file names a file that is not there",
    got: `backends/${file}`,
  });
}
