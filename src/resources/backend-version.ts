/**
 * A backend version on a host: installed once for all that want it, verified file by file, and gone when nobody wants
 * it any more. `installation` changes whenever it is installed anew, so that runners are started again from it.
 */
import { posix } from "node:path";

import { listEntries } from "../host/journal.js";
import { executableName, executablePath } from "../host/paths.js";
import {
  assertForeign,
  assertOwnLink,
  installationFolder,
  isLinked,
  listInstallations,
  readInstallation,
  readManifest,
  removeUnused,
  switchInstallation,
  uninstall,
  writeManifest,
  type Installation,
  type InstallationPlace,
} from "../install/installation.js";
import { compareManifest, makeManifest } from "../install/manifest.js";
import { adoptExecutable, manualDrift } from "../install/manual.js";
import {
  artifactDigest,
  backendVersionDifferences,
  backendVersionInputs,
  wantedArtifact,
  type BackendVersionInputs,
  type WantedArtifact,
} from "./backend-version-inputs.js";
import { convergeImage, imageUses, isImageUse, observeImage, removeImage } from "./image-version.js";
import { createInstaller, probeExecutable, type Installed } from "./installers.js";
import { assertSigned } from "./backend-version-signature.js";
import type { CommonObserved, Context, ResourceKind } from "./kind.js";

export interface BackendVersionObserved extends CommonObserved {
  /** The engine's command on the host; empty for an image. */
  readonly executable: string;
  /** Identity of this installation; empty when there is none. */
  readonly installation: string;
}

export type BackendVersionStep = "clear" | "download" | "install" | "verify" | "link" | "adopt" | "retire";

/** What is to be done, from what was seen. Pure. */
export function planBackendVersion(seen: {
  /** An administrator installed it: there is nothing to do but to look. */
  manual: boolean;
  installed: boolean;
  drift: readonly string[];
  /** Installations that nothing leads to are there: runs were interrupted. */
  leftovers: boolean;
  /** An installation is there that runners may have begun from. */
  inUse: boolean;
}): BackendVersionStep[] {
  const clear = seen.leftovers ? (["clear"] as const) : [];
  if (seen.installed && seen.drift.length === 0) return [...clear];
  const made = seen.manual ? (["adopt"] as const) : (["download", "install", "verify", "link"] as const);
  return [...clear, ...made, ...(seen.inUse ? (["retire"] as const) : [])];
}

const stepTexts: Record<BackendVersionStep, string> = {
  clear: "remove what interrupted runs left",
  download: "download packages",
  install: "install",
  verify: "verify",
  link: "put in place",
  adopt: "verify the administrator's executable",
  retire: "remove the installation before",
};

export const backendVersionKind: ResourceKind<BackendVersionInputs, BackendVersionObserved> = {
  kind: "BackendVersion",
  inputs: backendVersionInputs,
  differences: backendVersionDifferences,
  uses: ({ method, backend = "", version = "", ...inputs }) =>
    method === "image" ? imageUses(inputs) : posix.join("backends", executableName(backend, version)),
  secrets: ({ registryPassword }) => (registryPassword === undefined ? [] : [registryPassword]),

  async observe(context, inputs) {
    if (inputs.method === "image") return { executable: "", ...(await observeImage(context, inputs)) };
    const executable = executablePath(context.reference, inputs.backend, inputs.version);
    const installation = await readInstallation(placeOf(context, inputs));
    if (installation === undefined) return { executable, installation: "", drift: ["is not installed"] };
    const drift = await findDrift(context, inputs, await wantedOn(context, inputs), installation);
    return { executable, installation: installation.id, drift };
  },

  async converge(context, operation, inputs) {
    await assertSigned(context, inputs);
    if (inputs.method === "image") return convergeImage(context, operation, inputs);
    const place = placeOf(context, inputs);
    const wanted = await wantedOn(context, inputs);
    const installation = await readInstallation(place);
    const drift = installation === undefined ? [] : await findDrift(context, inputs, wanted, installation);
    const { inUse, unused } = await listInstallations(place);
    if (wanted.method !== "manual") await assertOwnLink(place);
    const seen = {
      manual: wanted.method === "manual",
      installed: installation !== undefined,
      drift,
      leftovers: unused.length > 0,
      inUse: inUse.length > 0,
    };
    const actions = wanted.method === "manual" ? adoption(context, inputs, wanted) : making(context, inputs, wanted);
    for (const step of planBackendVersion(seen)) {
      await operation.step(stepTexts[step], async () => actions[step]?.());
    }
  },

  async remove(context, operation, { owner, name, uses }) {
    const { host, reference } = context;
    const entries = await listEntries(host, reference.dataDir);
    const wantedByOthers = entries.some(
      (entry) => entry.uses === uses && !(entry.owner === owner && entry.name === name),
    );
    if (wantedByOthers) return;
    if (isImageUse(uses)) return removeImage(context, operation, uses);
    const folderName = posix.basename(uses);
    const separator = folderName.indexOf("_");
    const named = { backend: folderName.slice(0, separator), version: folderName.slice(separator + 1) };
    await operation.step("uninstall", () => uninstall(placeOf(context, named)));
  },
};

type Actions = Partial<Record<BackendVersionStep, () => Promise<void>>>;

/** The steps of one installation. It is made and verified beside what serves; only then it takes its place. */
function making(
  context: Context,
  inputs: BackendVersionInputs,
  wanted: Exclude<WantedArtifact, { method: "manual" }>,
): Actions {
  const { host, signal } = context;
  const place = placeOf(context, inputs);
  const installer = createInstaller(context, inputs, wanted);
  const id = context.newId();
  const folder = installationFolder(place, id);
  let downloads: string[] = [];
  let made: Installed = { folder: "", executable: "" };
  return {
    clear: () => removeUnused(place),
    async download() {
      downloads = await installer.download(folder);
    },
    async install() {
      made = await installer.install(folder);
    },
    async verify() {
      try {
        await installer.verify(made);
        await writeManifest(place, id, await makeManifest(host, made.folder, signal));
      } catch (error) {
        await host.remove(folder);
        throw error;
      }
    },
    async link() {
      const { folder: environment, executable } = made;
      const identity = { id, artifact: artifactDigest(wanted), environment, executable };
      await switchInstallation(place, { schemaVersion: 1, ...identity, downloads, retention: retentionOf(inputs) });
    },
    retire: () => removeUnused(place),
  };
}

/** Nothing is installed: what is there is verified and remembered. */
function adoption(
  context: Context,
  inputs: BackendVersionInputs,
  wanted: Extract<WantedArtifact, { method: "manual" }>,
): Actions {
  const place = placeOf(context, inputs);
  const executable = executablePath(context.reference, inputs.backend, inputs.version);
  return {
    clear: () => removeUnused(place),
    async adopt() {
      await assertForeign(place);
      const { path: _, ...adopted } = await adoptExecutable(context, {
        path: executable,
        ...(wanted.sha256 === undefined ? {} : { sha256: wanted.sha256 }),
      });
      await probeExecutable(context, inputs, executable);
      const identity = { id: context.newId(), artifact: artifactDigest(wanted), environment: "", executable };
      const rest = { downloads: [], retention: retentionOf(inputs), adopted };
      await switchInstallation(place, { schemaVersion: 1, ...identity, ...rest });
    },
    retire: () => removeUnused(place),
  };
}

async function findDrift(
  context: Context,
  inputs: BackendVersionInputs,
  wanted: WantedArtifact,
  installation: Installation,
): Promise<string[]> {
  const place = placeOf(context, inputs);
  const link = executablePath(context.reference, inputs.backend, inputs.version);
  const drift = installation.artifact === artifactDigest(wanted) ? [] : [otherArtifact[wanted.method]];
  const { adopted } = installation;
  if (wanted.method === "manual" || adopted !== undefined) {
    return adopted === undefined ? drift : [...drift, ...(await manualDrift(context, { path: link, ...adopted }))];
  }
  if (!(await isLinked(place, installation))) drift.push(`${link} does not lead to the installation`);
  drift.push(...(await createInstaller(context, inputs, wanted).drift(installation.environment)));
  const files = await readManifest(place, installation.id);
  if (files === undefined) return [...drift, "its manifest is missing"];
  const changes = await compareManifest(context.host, installation.environment, files);
  return [...drift, ...summarise(changes)];
}

const otherArtifact: Record<WantedArtifact["method"], string> = {
  pipx: "was installed from other packages",
  binary: "was installed from another file",
  manual: "was installed in another way",
};

const shownChanges = 5;

function summarise(changes: readonly string[]): string[] {
  const rest = changes.length - shownChanges;
  return rest > 0 ? [...changes.slice(0, shownChanges), `and ${rest} more files`] : [...changes];
}

const defaultRetention = 2;

function retentionOf({ retention }: BackendVersionInputs): number {
  return retention ?? defaultRetention;
}

/** Only releases have files for some platforms and not for others; pip knows its own. */
async function wantedOn(context: Context, inputs: BackendVersionInputs): Promise<WantedArtifact> {
  return wantedArtifact(inputs, inputs.method === "binary" ? await context.facts() : { os: "", arch: "" });
}

function placeOf(
  { host, reference }: Context,
  { backend, version }: Pick<BackendVersionInputs, "backend" | "version">,
): InstallationPlace {
  return { host, dataDir: reference.dataDir, binDir: reference.binDir, backend, version };
}
