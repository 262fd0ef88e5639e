import type { Json } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import type { PinEdges } from "../lock/pin-edges.js";
import { isNotFound, releaseRequest } from "../lock/release-file.js";
import {
  binaryArtifact,
  imageInstall,
  pipxInstall,
  type BackendVersionEntry,
  type BinaryArtifact,
  type ImageInstall,
  type PipxInstall,
} from "../schema/backend.js";
import { pinnedMethods } from "./arguments.js";

export type PinnedMethod = (typeof pinnedMethods)[number];

export interface VersionToPin {
  readonly name: string;
  readonly version: string;
  /** The version that it is like, and what that one says. */
  readonly like: string;
  readonly model: BackendVersionEntry;
  /** The one method; by default all of them. */
  readonly method?: PinnedMethod | undefined;
}

type Fields = Record<string, Json>;

export interface PinnedVersion {
  /** As it is written into a backend file. */
  readonly entry: Readonly<Fields>;
  /** A file below `backends` that the entry names. */
  readonly requirements?: { readonly file: string; readonly text: string };
  /** What could not be pinned, for people. */
  readonly notes: readonly string[];
}

/**
 * A version like another one, pinned by what the package index, the release and the registry have.
 *
 * @param report is told what is being done
 */
export async function pinVersion(
  wanted: VersionToPin,
  edges: PinEdges,
  report: (line: string) => void,
): Promise<PinnedVersion> {
  const { model, method } = wanted;
  const { binary, pipx, image, runnerImage, manual } = model.install;
  const asked = (one: PinnedMethod) => method === undefined || method === one;
  const isThere = (one: PinnedMethod) =>
    model.install[one] !== undefined || (one === "image" && runnerImage !== undefined);
  if (method !== undefined && !isThere(method)) {
    throw new BerthError("usage", {
      what: `${wanted.name} ${wanted.like} is not installed this way`,
      got: method,
      expected: pinnedMethods.filter(isThere).join(" or ") || "another version",
      hint: "name a version with --like that is",
    });
  }
  const notes: string[] = [];
  const work: Work = { wanted, edges, report, notes };
  const install: Fields = {};
  if (binary !== undefined && asked("binary")) install.binary = await pinFiles(work, binary);
  const locked = pipx !== undefined && asked("pipx") ? await pinPackages(work, pipx) : undefined;
  if (locked !== undefined) install.pipx = locked.pipx;
  if (image !== undefined && asked("image")) install.image = await pinImage(work, image);
  // Which image it is, and its digest, is for a lock to say.
  if (runnerImage !== undefined && asked("image")) {
    install.runnerImage = told({ ...runnerImage, serviceVersion: undefined }, {});
  }
  // What an administrator installs has a SHA-256 that nobody can look up.
  if (manual !== undefined && method === undefined) install.manual = told({ ...manual, sha256: undefined }, {});
  const entry = { ...told(withoutInstall(model), { env: {} }), install };
  return { entry, notes, ...(locked === undefined ? {} : { requirements: locked.requirements }) };
}

interface Work {
  readonly wanted: VersionToPin;
  readonly edges: PinEdges;
  readonly report: (line: string) => void;
  readonly notes: string[];
}

async function pinPackages(
  { wanted, edges, report }: Work,
  pipx: PipxInstall,
): Promise<{ pipx: Fields; requirements: { file: string; text: string } }> {
  const { name, version } = wanted;
  const packageVersion = pipx.packageVersion === undefined ? undefined : retarget(pipx.packageVersion, wanted);
  report(`locking ${pipx.package} ${packageVersion ?? version} and what it needs`);
  const text = await edges.lockPackages({
    ...{ package: pipx.package, extras: pipx.extras, pins: pipx.pins },
    ...{ constraints: pipx.constraints, python: pipx.python, indexUrl: undefined },
    version: packageVersion ?? version.replace(/^v/, ""),
    platforms: pipx.os.flatMap((os) => pipx.arch.map((arch) => ({ os, arch }))),
  });
  const file = `${name}/${version}.txt`;
  const fields = { ...pipx, packageVersion, requirements: file };
  const defaults = { ...pipxInstall.parse({ package: pipx.package }), package: "" };
  return { pipx: told(fields, defaults), requirements: { file, text } };
}

/** A file that the release does not have is left out; with none left there is no such release. */
async function pinFiles({ wanted, edges, report, notes }: Work, files: readonly BinaryArtifact[]): Promise<Json> {
  const pinned: Json[] = [];
  let missing: BerthError | undefined;
  for (const artifact of files) {
    const url = retarget(artifact.url, wanted);
    report(`fetching ${url}`);
    try {
      const file = await edges.fetchReleaseFile(releaseRequest(artifact, url));
      const { executable } = artifact;
      const inside = executable === undefined ? undefined : replaceVersion(executable, wanted);
      const bare = binaryArtifact.parse({ os: artifact.os, arch: artifact.arch, url: artifact.url });
      const signature = signatureLike(artifact, wanted);
      pinned.push(
        told({ ...artifact, url, ...file, executable: inside, signature }, { ...bare, os: "", arch: "", url: "" }),
      );
    } catch (error) {
      if (!isNotFound(error)) throw error;
      missing = error;
      notes.push(`left out, because the release does not have it: ${url}`);
    }
  }
  if (pinned.length === 0 && missing !== undefined) throw missing;
  return pinned;
}

function signatureLike({ signature }: BinaryArtifact, wanted: VersionToPin): BinaryArtifact["signature"] {
  return signature?.url === undefined ? signature : { ...signature, url: replaceVersion(signature.url, wanted) };
}

async function pinImage({ wanted, edges, report, notes }: Work, image: ImageInstall): Promise<Fields> {
  const reference = retarget(image.reference, wanted);
  report(`asking for the digest of ${reference}`);
  const answer = await edges.askImageDigest(reference);
  if (answer.kind === "unknown") {
    throw new BerthError("download-failed", {
      where: reference,
      what: "the registry has no image of this name",
      hint: "check the version; --method leaves the image out",
    });
  }
  if (answer.kind === "refused")
    notes.push(`unpinned, because the registry did not tell: ${reference} (${answer.reason})`);
  const digest = answer.kind === "found" ? answer.digest : undefined;
  return told({ ...image, reference, digest }, { ...imageInstall.parse({ reference }), reference: "" });
}

/** A text of the version that the new one is like, for the new one. */
function retarget(text: string, wanted: VersionToPin): string {
  const changed = replaceVersion(text, wanted);
  if (changed !== text || wanted.like === wanted.version) return changed;
  throw new BerthError("usage", {
    what: `nothing tells the version in what ${wanted.name} ${wanted.like} is installed from`,
    got: text,
    expected: `a name that holds ${wanted.like}`,
    hint: "write the version into the backend file by hand, or name another one with --like",
  });
}

/** Each place where the version stands by itself: not where 1.8 is a part of 11.8 or of 1.8.3. */
function replaceVersion(text: string, { like, version }: VersionToPin): string {
  const bare = (one: string) => one.replace(/^v(?=\d)/, "");
  const escaped = bare(like).replace(/[.+*?^$()[\]{}|\\]/g, "\\$&");
  return text.replace(new RegExp(`(?<![0-9.])${escaped}(?![0-9]|\\.[0-9])`, "g"), () => bare(version));
}

/** What the version says besides how it is installed; not its flags and architectures, which differ by version. */
function withoutInstall({ install: _, knownFlags: _flags, architectures: _names, ...rest }: BackendVersionEntry) {
  return rest;
}

/** The fields that say something: not those that are absent, nor those that are as they are by default. */
function told(fields: object, defaults: object): Fields {
  const known = new Map(Object.entries(defaults).map(([key, value]) => [key, JSON.stringify(value)]));
  const said = Object.entries(fields).filter(
    ([key, value]) => value !== undefined && JSON.stringify(value) !== known.get(key),
  );
  const plain: unknown = JSON.parse(JSON.stringify(Object.fromEntries(said)));
  return isFields(plain) ? plain : {};
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
