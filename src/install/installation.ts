/**
 * Installations of one backend version, in its folder below `backends`: each in a folder of its own, named by its
 * identity, with the list of its files. `installation.json` names the one that counts, and the link in `bin` leads
 * into it.
 */
import { posix } from "node:path";

import { z } from "zod";

import type { Host } from "../host/host.js";
import { backendFolder, executablePath } from "../host/paths.js";
import { BerthError } from "../lib/errors.js";
import { manifest, type Manifest } from "./manifest.js";
import { retireDownloads, reviveDownloads } from "./retention.js";

const installationFile = z.strictObject({
  schemaVersion: z.literal(1),
  id: z.string(),
  /** Digest of what was asked for. */
  artifact: z.string(),
  /** The folder that its manifest is about; empty for an executable that Berth did not install. */
  environment: z.string(),
  executable: z.string(),
  /** The link that leads to it. */
  link: z.string().optional(),
  /** What of the download cache it was made from. */
  downloads: z.array(z.string()).default([]),
  /** Versions of the backend whose downloads stay when nobody wants them any more. */
  retention: z.int().default(2),
  /** An executable that an administrator put there, as it was when it was verified. */
  adopted: z.strictObject({ sha256: z.string(), sizeBytes: z.int(), changedAt: z.string() }).optional(),
});
export type Installation = z.output<typeof installationFile>;

/** Where a backend version is installed. */
export interface InstallationPlace {
  readonly host: Host;
  readonly dataDir: string;
  readonly binDir?: string | undefined;
  readonly backend: string;
  readonly version: string;
}

/** Everything of one installation. */
export function installationFolder(place: InstallationPlace, id: string): string {
  return posix.join(versionFolder(place), id);
}

export async function readInstallation(place: InstallationPlace): Promise<Installation | undefined> {
  const text = await place.host.readText(recordPath(place));
  return text === undefined ? undefined : parsed(text, installationFile);
}

export async function readManifest(place: InstallationPlace, id: string): Promise<Manifest | undefined> {
  const text = await place.host.readText(manifestPath(place, id));
  return text === undefined ? undefined : parsed(text, manifest);
}

export async function writeManifest(place: InstallationPlace, id: string, files: Manifest): Promise<void> {
  await place.host.writeFile(manifestPath(place, id), JSON.stringify(files));
}

/**
 * Makes an installation the one that counts; the one before stays beside it. Downloads that only that one was made from
 * are retired, as those of a version that nobody wants.
 */
export async function switchInstallation(place: InstallationPlace, installation: Installation): Promise<void> {
  const before = await readInstallation(place);
  if (installation.adopted === undefined) {
    await assertOwnLink(place);
    await place.host.link(installation.executable, linkPath(place));
  }
  await place.host.writeFile(recordPath(place), JSON.stringify({ ...installation, link: linkPath(place) }));
  await reviveDownloads(place, installation.downloads);
  const retired = before?.downloads.filter((path) => !installation.downloads.includes(path)) ?? [];
  if (before === undefined || retired.length === 0) return;
  await retireDownloads(place, { installation: before.id, downloads: retired, retention: installation.retention });
}

/**
 * What an administrator put under the name of the link is not replaced. A link where Berth's own was is one that was
 * changed by hand, and is.
 */
export async function assertOwnLink(place: InstallationPlace): Promise<void> {
  const path = linkPath(place);
  const status = await place.host.status(path);
  const record = await readInstallation(place);
  const isRecorded = record !== undefined && record.adopted === undefined && (record.link ?? path) === path;
  const wasOwn = status?.kind === "link" && isRecorded;
  if (status === undefined || wasOwn || (await leadsToOwn(place))) return;
  throw new BerthError("host-foreign", {
    where: `host ${place.host.name}: ${path}`,
    what: "an executable is there that Berth did not put there",
    expected: "nothing, or a link of Berth's",
    hint: "use it with `install: manual`, or move it away",
  });
}

/**
 * What an administrator is to have put there must not be Berth's own link: its installation goes when it is no longer
 * asked for.
 */
export async function assertForeign(place: InstallationPlace): Promise<void> {
  if (!(await leadsToOwn(place))) return;
  const path = linkPath(place);
  throw new BerthError("file-not-found", {
    where: `host ${place.host.name}: ${path}`,
    what: "the executable is not in the bin directory, only Berth's own link to what it installed before",
    got: `a link to ${(await place.host.readLink(path)) ?? "nothing"}`,
    expected: "an administrator's executable, or a link to one",
    hint: "put the executable there in the link's place; until then what Berth installed stays",
  });
}

async function leadsToOwn(place: InstallationPlace): Promise<boolean> {
  const target = await place.host.readLink(linkPath(place));
  return target?.startsWith(`${versionFolder(place)}/`) === true;
}

/** Whether the link in `bin` leads to the installation's command. */
export async function isLinked(place: InstallationPlace, { executable }: Installation): Promise<boolean> {
  return (await place.host.readLink(linkPath(place))) === executable;
}

/** What lies in the version's folder: whether a record or the link leads to it, or nothing does. */
export async function listInstallations(place: InstallationPlace): Promise<{ inUse: string[]; unused: string[] }> {
  const record = await readInstallation(place);
  const leads = [record?.environment, await place.host.readLink(linkPath(place))].filter((path) => path !== undefined);
  const names = (await place.host.list(versionFolder(place))).filter(
    (name) => name !== posix.basename(recordPath(place)),
  );
  const paths = names.map((name) => posix.join(versionFolder(place), name));
  const isUsed = (path: string) => leads.some((lead) => lead.startsWith(`${path}/`));
  return { inUse: paths.filter(isUsed), unused: paths.filter((path) => !isUsed(path)) };
}

export async function removeUnused(place: InstallationPlace): Promise<void> {
  const { unused } = await listInstallations(place);
  for (const path of unused) await place.host.remove(path);
}

export async function uninstall(place: InstallationPlace): Promise<void> {
  const record = await readInstallation(place);
  if (await leadsToOwn(place)) await place.host.remove(linkPath(place));
  if (record !== undefined) {
    const { downloads, retention } = record;
    await retireDownloads(place, { downloads, retention });
  }
  await place.host.remove(versionFolder(place));
}

function versionFolder({ dataDir, backend, version }: InstallationPlace): string {
  return backendFolder(dataDir, backend, version);
}

function linkPath(place: InstallationPlace): string {
  return executablePath(place, place.backend, place.version);
}

function recordPath(place: InstallationPlace): string {
  return posix.join(versionFolder(place), "installation.json");
}

function manifestPath(place: InstallationPlace, id: string): string {
  return posix.join(installationFolder(place, id), "manifest.json");
}

/** A file of ours that does not parse was changed by hand: as good as missing. */
function parsed<Schema extends z.ZodType>(text: string, schema: Schema): z.output<Schema> | undefined {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
