/**
 * A backend version on a host: installed once for all that want it, verified file by file, and gone when nobody wants
 * it any more. `installation` changes whenever it is installed anew, so that runners are started again from it.
 */
import { posix } from "node:path";

import { z } from "zod";

import { listEntries } from "../host/journal.js";
import { executableName, executablePath } from "../host/paths.js";
import { targetStatus } from "../host/target.js";
import {
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
import {
  downloadWheels,
  installEnvironment,
  probeVersion,
  type PipxContext,
  type PipxEnvironment,
} from "../install/pipx.js";
import { hostPython, pythonTag } from "../install/python.js";
import { digest } from "../lib/canonical.js";
import { commonInputs } from "./common.js";
import type { CommonObserved, Context, ResourceKind } from "./kind.js";

const content = z.strictObject({
  file: z.string().describe("Path below a backends folder"),
  sha256: z.string().describe("Its SHA-256"),
});

export const backendVersionInputs = z.strictObject({
  ...commonInputs,
  backend: z.string().describe("Name of the backend"),
  version: z.string().describe("Its version"),
  method: z.literal("pipx").describe("How it is installed"),
  package: z.string().describe("The Python package"),
  requirements: content.describe("The package and all it needs, with hashes"),
  launcher: content.optional().describe("The module that is the engine's command"),
  pipxPath: z.string().optional().describe("pipx to use"),
  indexUrl: z.string().optional().describe("Package index to use"),
});

export type BackendVersionInputs = z.output<typeof backendVersionInputs>;

export interface BackendVersionObserved extends CommonObserved {
  /** The engine's command on the host. */
  readonly executable: string;
  /** Identity of this installation; empty when there is none. */
  readonly installation: string;
}

export type BackendVersionStep = "clear" | "download" | "install" | "verify" | "link" | "retire";

/** What is to be done, from what was seen. Pure. */
export function planBackendVersion(seen: {
  installed: boolean;
  drift: readonly string[];
  /** Installations that nothing leads to are there: runs were interrupted. */
  leftovers: boolean;
  /** An installation is there that runners may have begun from. */
  inUse: boolean;
}): BackendVersionStep[] {
  const clear = seen.leftovers ? (["clear"] as const) : [];
  if (seen.installed && seen.drift.length === 0) return [...clear];
  return [...clear, "download", "install", "verify", "link", ...(seen.inUse ? (["retire"] as const) : [])];
}

const stepTexts: Record<BackendVersionStep, string> = {
  clear: "remove what interrupted runs left",
  download: "download packages",
  install: "install",
  verify: "verify",
  link: "put in place",
  retire: "remove the installation before",
};

export const backendVersionKind: ResourceKind<BackendVersionInputs, BackendVersionObserved> = {
  kind: "BackendVersion",
  inputs: backendVersionInputs,
  differences: {
    name: { change: "replace", reason: "another resource" },
    owner: { change: "replace", reason: "another owner" },
    host: { change: "replace", reason: "another host or data directory" },
    backend: { change: "replace", reason: "another backend" },
    version: { change: "replace", reason: "another version; the old one stays until nobody wants it" },
    method: { change: "update", reason: "installed in another way" },
    package: { change: "update", reason: "another package: installed anew" },
    requirements: { change: "update", reason: "other pinned packages: installed anew" },
    launcher: { change: "update", reason: "another launcher: installed anew" },
    pipxPath: { change: "none", reason: "used at the next installation" },
    indexUrl: { change: "none", reason: "used at the next download" },
  },
  uses: ({ backend = "", version = "" }) => posix.join("backends", executableName(backend, version)),
  secrets: () => [],

  async observe(context, inputs) {
    const executable = executablePath(context.reference.dataDir, inputs.backend, inputs.version);
    const installation = await readInstallation(placeOf(context, inputs));
    if (installation === undefined) return { executable, installation: "", drift: ["is not installed"] };
    return { executable, installation: installation.id, drift: await findDrift(context, inputs, installation) };
  },

  async converge(context, operation, inputs) {
    const installation = await readInstallation(placeOf(context, inputs));
    const drift = installation === undefined ? [] : await findDrift(context, inputs, installation);
    const { inUse, unused } = await listInstallations(placeOf(context, inputs));
    const seen = {
      installed: installation !== undefined,
      drift,
      leftovers: unused.length > 0,
      inUse: inUse.length > 0,
    };
    const actions = stepActions(context, inputs);
    for (const step of planBackendVersion(seen)) await operation.step(stepTexts[step], actions[step]);
  },

  async remove(context, operation, { owner, name, uses }) {
    const { host, reference } = context;
    const entries = await listEntries(host, reference.dataDir);
    const wantedByOthers = entries.some(
      (entry) => entry.uses === uses && !(entry.owner === owner && entry.name === name),
    );
    if (wantedByOthers) return;
    const folderName = posix.basename(uses);
    const separator = folderName.indexOf("_");
    const named = { backend: folderName.slice(0, separator), version: folderName.slice(separator + 1) };
    await operation.step("uninstall", () => uninstall(placeOf(context, named)));
  },
};

/** The steps of one installation. It is made and verified beside what serves; only then it takes its place. */
function stepActions(context: Context, inputs: BackendVersionInputs): Record<BackendVersionStep, () => Promise<void>> {
  const place = placeOf(context, inputs);
  const id = context.newId();
  const folder = installationFolder(place, id);
  let made: PipxEnvironment = { folder: "", executable: "" };
  return {
    clear: () => removeUnused(place),
    async download() {
      await downloadWheels(await pipxContext(context, inputs), inputs, (current, total) => {
        const text = `${inputs.backend} ${inputs.version}`;
        context.log({ kind: "progress", subject: inputs.name, text, current, total });
      });
    },
    async install() {
      made = await installEnvironment(await pipxContext(context, inputs), inputs, folder);
    },
    async verify() {
      try {
        await probeVersion(await pipxContext(context, inputs), inputs, made.executable);
        await writeManifest(place, id, await makeManifest(context.host, made.folder, context.signal));
      } catch (error) {
        await context.host.remove(folder);
        throw error;
      }
    },
    async link() {
      const { folder: environment, executable } = made;
      await switchInstallation(place, {
        schemaVersion: 1,
        id,
        artifact: artifactDigest(inputs),
        environment,
        executable,
      });
    },
    retire: () => removeUnused(place),
  };
}

async function findDrift(
  context: Context,
  inputs: BackendVersionInputs,
  installation: Installation,
): Promise<string[]> {
  const { host, reference } = context;
  const place = placeOf(context, inputs);
  const drift: string[] = [];
  if (installation.artifact !== artifactDigest(inputs)) drift.push("was installed from other packages");
  if (!(await isLinked(place, installation))) {
    const link = executablePath(reference.dataDir, inputs.backend, inputs.version);
    drift.push(`${link} does not lead to the installation`);
  }
  const python = posix.join(installation.environment, "bin", "python");
  if ((await targetStatus(host, python)) === undefined) drift.push("its Python is gone: bin/python leads nowhere");
  const files = await readManifest(place, installation.id);
  if (files === undefined) return [...drift, "its manifest is missing"];
  const changes = await compareManifest(host, installation.environment, files);
  return [...drift, ...summarise(changes)];
}

const shownChanges = 5;

function summarise(changes: readonly string[]): string[] {
  const rest = changes.length - shownChanges;
  return rest > 0 ? [...changes.slice(0, shownChanges), `and ${rest} more files`] : [...changes];
}

function placeOf(
  { host, reference }: Context,
  { backend, version }: Pick<BackendVersionInputs, "backend" | "version">,
): InstallationPlace {
  return { host, dataDir: reference.dataDir, backend, version };
}

function artifactDigest(inputs: BackendVersionInputs): string {
  return digest({
    package: inputs.package,
    requirements: inputs.requirements.sha256,
    launcher: inputs.launcher?.sha256,
  });
}

async function pipxContext(context: Context, inputs: BackendVersionInputs): Promise<PipxContext> {
  const { host, reference, content, serial, signal } = context;
  const facts = await context.facts();
  const python = await hostPython({ host, dataDir: reference.dataDir, serial, found: facts.python });
  return {
    host,
    dataDir: reference.dataDir,
    python,
    pythonTag: await pythonTag(host, python),
    content,
    serial,
    signal,
    indexUrl: inputs.indexUrl,
    hostPipx: facts.pipx?.path,
  };
}
