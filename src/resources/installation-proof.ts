/** Whether an installed backend version is, byte for byte, what the lock asks for; no record is taken for the bytes. */
import { posix } from "node:path";

import type { Host } from "../host/host.js";
import { executablePath } from "../host/paths.js";
import { readInstallation, readManifest, type Installation, type InstallationPlace } from "../install/installation.js";
import { compareManifest, type Manifest } from "../install/manifest.js";
import { readScriptLine, type ScriptLine } from "../install/script.js";
import type { DesiredBackendVersion, ProcessInstall } from "../planner/desired.js";
import {
  compareDigest,
  compareFiles,
  describeDigest,
  type FileIdentity,
  type ProofRow,
  type Script,
  type Seen,
} from "../planner/provenance.js";
import { see } from "../runtime/live-process.js";
import { artifactDigest, wantedArtifact } from "./backend-version-inputs.js";
import type { Context } from "./kind.js";

export interface InstallationProof {
  readonly rows: readonly ProofRow[];
  /** What its process executes: the program, or what interprets the script. */
  readonly executable: Seen<FileIdentity>;
  /** Undefined for a program. */
  readonly script: Script | undefined;
}

/** Reads every file of it. */
export async function proveInstallation(
  context: Context,
  { backend, version, install }: DesiredBackendVersion,
): Promise<InstallationProof> {
  const { host, reference, signal } = context;
  if (install.method === "image") return { rows: [], executable: { unknown: "an image" }, script: undefined };
  const place = { host, dataDir: reference.dataDir, binDir: reference.binDir, backend, version };
  const installation = await readInstallation(place);
  if (installation === undefined) return noInstallation(install);
  const source = compareDigest("installation", artifactOf(install), { value: installation.artifact });
  const path = await resolveLinks(host, executablePath(reference, backend, version));
  if (path === undefined) return { ...noInstallation(install), rows: [source, missingExecutable] };
  const files = await proveFiles(place, installation);
  const sha256 = await see(path, () => host.sha256(path, signal));
  const wanted = await wantedExecutable(host, install, installation, files.manifest, path);
  const executable = compareExecutableFile(wanted, sha256);
  const line = await readScriptLine(host, path);
  return {
    rows: [source, ...files.rows, executable],
    executable:
      line === undefined ? programOf(path, wanted) : await interpreterOf(context, installation, install, line),
    script: line === undefined ? undefined : { argument: line.argument },
  };
}

const missingExecutable: ProofRow = {
  what: "executable",
  wanted: "a file",
  found: "its link leads to none",
  verdict: "differs",
};

function noInstallation(install: ProcessInstall): InstallationProof {
  const unknown = "there is no record of an installation";
  return {
    rows: [compareDigest("installation", artifactOf(install), { unknown })],
    executable: { unknown },
    script: undefined,
  };
}

/** The lock has the files of the host's own platform alone. */
function artifactOf(install: ProcessInstall): string {
  const [file] = install.method === "binary" ? install.artifacts : [];
  return artifactDigest(wantedArtifact(install, { os: file?.os ?? "", arch: file?.arch ?? "" }));
}

async function proveFiles(
  place: InstallationPlace,
  { id, environment, adopted }: Installation,
): Promise<{ rows: ProofRow[]; manifest: Manifest | undefined }> {
  if (adopted !== undefined) return { rows: [], manifest: undefined };
  const manifest = await readManifest(place, id);
  if (manifest === undefined) return { rows: [compareFiles(undefined, [])], manifest };
  const changes = await compareManifest(place.host, environment, manifest, "all");
  return { rows: [compareFiles(Object.keys(manifest.files).length, changes)], manifest };
}

/** What the executable must have: by the lock where it tells, else as it was when it was verified. */
async function wantedExecutable(
  host: Host,
  install: ProcessInstall,
  { environment, adopted }: Installation,
  manifest: Manifest | undefined,
  path: string,
): Promise<string | undefined> {
  if (adopted !== undefined) return (install.method === "manual" ? install.sha256 : undefined) ?? adopted.sha256;
  const [file] = install.method === "binary" ? install.artifacts : [];
  if (file !== undefined && file.executable === undefined) return file.sha256;
  const folder = (await resolveLinks(host, environment)) ?? environment;
  return manifest?.files[posix.relative(folder, path)]?.sha256;
}

function compareExecutableFile(wanted: string | undefined, found: Seen<string>): ProofRow {
  if (wanted !== undefined) return compareDigest("executable", wanted, found);
  const shown = "unknown" in found ? found.unknown : describeDigest(found.value);
  return { what: "executable", wanted: "a file of the installation", found: shown, verdict: "differs" };
}

function programOf(path: string, sha256: string | undefined): Seen<FileIdentity> {
  return sha256 === undefined ? { unknown: "its digest is not known" } : { value: { path, sha256 } };
}

/** An environment's Python is the host's own, so that no lock knows it: it is what the environment leads to now. */
async function interpreterOf(
  { host, signal }: Context,
  { environment }: Installation,
  { method }: ProcessInstall,
  { interpreter }: ScriptLine,
): Promise<Seen<FileIdentity>> {
  const named = method === "pipx" ? posix.join(environment, "bin", "python") : interpreter;
  if (!posix.isAbsolute(named) || posix.basename(named) === "env")
    return { unknown: "the script leaves its interpreter to the search path" };
  const path = await resolveLinks(host, named);
  if (path === undefined) return { unknown: `${named} leads nowhere` };
  const sha256 = await see(path, () => host.sha256(path, signal));
  return "unknown" in sha256 ? sha256 : { value: { path, sha256: sha256.value } };
}

/** The path without links in it; undefined when it leads nowhere. */
async function resolveLinks(host: Pick<Host, "run" | "status">, path: string): Promise<string | undefined> {
  const { exitCode, stdout } = await host.run(["readlink", "-f", path], { timeoutSeconds: 60 });
  const target = stdout.trimEnd();
  return exitCode === 0 && (await host.status(target)) !== undefined ? target : undefined;
}
