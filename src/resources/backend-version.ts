/**
 * A backend version on a host: installed once for all that want it, verified file by file, and gone when nobody wants
 * it any more. `installation` changes whenever it is installed anew, so that runners are started again from it.
 */
import { posix } from "node:path";

import { z } from "zod";

import { listEntries } from "../host/journal.js";
import { backendFolder, executableName, executablePath } from "../host/paths.js";
import { compareManifest, makeManifest, manifest, type Manifest } from "../install/manifest.js";
import { downloadWheels, installEnvironment, probeVersion, type PipxContext } from "../install/pipx.js";
import { hostPython } from "../install/python.js";
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

const installationFile = z.strictObject({
  schemaVersion: z.literal(1),
  id: z.string(),
  /** Digest of what was asked for. */
  artifact: z.string(),
  environment: z.string(),
  executable: z.string(),
});
type Installation = z.output<typeof installationFile>;

export type BackendVersionStep = "download" | "remove" | "install" | "verify" | "link";

/** What is to be done, from what was seen. Pure. */
export function planBackendVersion(seen: {
  installed: boolean;
  remains: boolean;
  drift: readonly string[];
}): BackendVersionStep[] {
  if (seen.installed && seen.drift.length === 0) return [];
  return ["download", ...(seen.remains ? (["remove"] as const) : []), "install", "verify", "link"];
}

const stepTexts: Record<BackendVersionStep, string> = {
  download: "download packages",
  remove: "remove the damaged environment",
  install: "install",
  verify: "verify",
  link: "put in place",
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
    const installation = await readInstallation(context, inputs);
    if (installation === undefined) return { executable, installation: "", drift: ["is not installed"] };
    return { executable, installation: installation.id, drift: await findDrift(context, inputs, installation) };
  },

  async converge(context, operation, inputs) {
    const installation = await readInstallation(context, inputs);
    const drift = installation === undefined ? [] : await findDrift(context, inputs, installation);
    const remains = installation !== undefined || (await hasRemains(context, inputs));
    for (const step of planBackendVersion({ installed: installation !== undefined, remains, drift })) {
      await operation.step(stepTexts[step], () => performStep(context, inputs, step));
    }
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
    await operation.step("uninstall", () => uninstall(context, named));
  },
};

async function performStep(context: Context, inputs: BackendVersionInputs, step: BackendVersionStep): Promise<void> {
  const { host, reference, log } = context;
  const pipx = await pipxContext(context, inputs);
  const subject = inputs.name;
  switch (step) {
    case "download":
      return downloadWheels(pipx, inputs, (current, total) => {
        log({ kind: "progress", subject, text: `${inputs.backend} ${inputs.version}`, current, total });
      });
    case "remove":
      return uninstall(context, inputs);
    case "install": {
      const made = await installEnvironment(pipx, inputs);
      await host.writeFile(posix.join(recordFolder(context, inputs), "environment.json"), JSON.stringify(made));
      return;
    }
    case "verify": {
      const made = await readMade(context, inputs);
      await probeVersion(pipx, inputs, made.executable);
      const files = await makeManifest(host, made.folder, context.signal);
      await host.writeFile(posix.join(recordFolder(context, inputs), "manifest.json"), JSON.stringify(files));
      return;
    }
    case "link": {
      const made = await readMade(context, inputs);
      await host.link(made.executable, executablePath(reference.dataDir, inputs.backend, inputs.version));
      const installation: Installation = {
        schemaVersion: 1,
        id: context.newId(),
        artifact: artifactDigest(inputs),
        environment: made.folder,
        executable: made.executable,
      };
      await host.writeFile(
        posix.join(recordFolder(context, inputs), "installation.json"),
        JSON.stringify(installation),
      );
    }
  }
}

/** The environment that `install` made; `verify` and `link` come after it in every plan. */
async function readMade(
  context: Context,
  inputs: BackendVersionInputs,
): Promise<{ folder: string; executable: string }> {
  const text = await context.host.readText(posix.join(recordFolder(context, inputs), "environment.json"));
  return z.strictObject({ folder: z.string(), executable: z.string() }).parse(JSON.parse(text ?? "null"));
}

async function findDrift(
  context: Context,
  inputs: BackendVersionInputs,
  installation: Installation,
): Promise<string[]> {
  const { host, reference } = context;
  const drift: string[] = [];
  if (installation.artifact !== artifactDigest(inputs)) drift.push("was installed from other packages");
  const link = executablePath(reference.dataDir, inputs.backend, inputs.version);
  if ((await host.readLink(link)) !== installation.executable) drift.push(`${link} does not lead to the installation`);
  const files = await readManifest(context, inputs);
  if (files === undefined) return [...drift, "its manifest is missing"];
  const changes = await compareManifest(host, installation.environment, files);
  return [...drift, ...summarise(changes)];
}

const shownChanges = 5;

function summarise(changes: readonly string[]): string[] {
  const rest = changes.length - shownChanges;
  return rest > 0 ? [...changes.slice(0, shownChanges), `and ${rest} more files`] : [...changes];
}

async function readInstallation(context: Context, inputs: BackendVersionInputs): Promise<Installation | undefined> {
  const text = await context.host.readText(posix.join(recordFolder(context, inputs), "installation.json"));
  return text === undefined ? undefined : parsed(text, installationFile);
}

async function readManifest(context: Context, inputs: BackendVersionInputs): Promise<Manifest | undefined> {
  const text = await context.host.readText(posix.join(recordFolder(context, inputs), "manifest.json"));
  return text === undefined ? undefined : parsed(text, manifest);
}

/** A file of ours that does not parse was changed by hand: as good as missing. */
function parsed<Schema extends z.ZodType>(text: string, schema: Schema): z.output<Schema> | undefined {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

async function hasRemains(context: Context, inputs: BackendVersionInputs): Promise<boolean> {
  return (await context.host.status(recordFolder(context, inputs))) !== undefined;
}

async function uninstall({ host, reference }: Context, { backend, version }: Named): Promise<void> {
  await host.remove(executablePath(reference.dataDir, backend, version));
  await host.remove(backendFolder(reference.dataDir, backend, version));
}

type Named = Pick<BackendVersionInputs, "backend" | "version">;

function recordFolder({ reference }: Context, { backend, version }: Named): string {
  return backendFolder(reference.dataDir, backend, version);
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
  return {
    host,
    dataDir: reference.dataDir,
    python: await hostPython({ host, dataDir: reference.dataDir, serial, found: facts.python }),
    content,
    serial,
    signal,
    indexUrl: inputs.indexUrl,
    hostPipx: facts.pipx?.path,
  };
}
