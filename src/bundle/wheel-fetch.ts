import { join } from "node:path";

import { BerthError } from "../lib/errors.js";
import { readIndexAddress, type IndexAddress } from "../lock/index-address.js";
import { fetchIndexPage, type IndexPage } from "../lock/index-page.js";
import type { PackagesNeed } from "../lock/needs.js";
import type { RequirementPin } from "../lock/requirement-pins.js";
import type { IndexLink } from "../model/package-index.js";
import { mayTakeWheel, parseWheelName } from "../model/wheel-name.js";
import type { BundledFile } from "../schema/bundle.js";
import { fileOf, type FetchContext } from "./file-fetch.js";
import { fileName, type BundleFolder } from "./folder.js";

export interface WheelFetch {
  readonly need: PackagesNeed;
  /** The index of a stack that names none, or undefined for the public one. */
  readonly defaultIndex: string | undefined;
  /** Wheels of the bundle as it was, by their SHA-256: no index is asked for what is there. */
  readonly before: ReadonlyMap<string, BundledFile>;
  /** Told bytes so far; how many there are is not known before. */
  readonly onProgress: (bytes: number) => void;
}

/**
 * Brings the wheels of a list of packages into a bundle: of each package all that some host may take, as pip chooses
 * there. A package without one, such as one for another system, is left out, which `bundle.json` tells.
 *
 * @throws BerthError `index-unreachable`, `download-failed`, `checksum-mismatch`
 */
export async function fetchWheels(
  folder: BundleFolder,
  context: FetchContext,
  { need, defaultIndex, before, onProgress }: WheelFetch,
): Promise<BundledFile[]> {
  const { pins, indexUrl } = need;
  if (pins === undefined) throw lostRequirements(need);
  const index = readIndexAddress(indexUrl ?? defaultIndex);
  const wheels: BundledFile[] = [];
  for (const pin of pins) {
    const kept = await findKept(folder, pin, need, before);
    wheels.push(...(kept ?? (await fetchPin(folder, context, need, pin, index))));
    onProgress(wheels.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  }
  // Whether they were there, and in which order an index lists them, makes no other bundle.
  return wheels.sort(({ wheel: one = "" }, { wheel: other = "" }) => (one < other ? -1 : 1));
}

/** A list of which a bundle was made holds all that hosts may take; hosts of another kind have the index asked again. */
async function findKept(
  folder: BundleFolder,
  { sha256s }: RequirementPin,
  { hosts }: PackagesNeed,
  before: ReadonlyMap<string, BundledFile>,
): Promise<BundledFile[] | undefined> {
  const known = sha256s.flatMap((sha256) => before.get(sha256) ?? []);
  const suits = (host: PackagesNeed["hosts"][number]) => known.some((file) => isFor(file.wheel ?? "", [host]));
  if (known.length === 0 || !hosts.every(suits)) return undefined;
  for (const { sha256, sizeBytes } of known)
    if ((await folder.findDamage(fileName(sha256), sizeBytes)) !== undefined) return undefined;
  return known;
}

function isFor(file: string, hosts: PackagesNeed["hosts"]): boolean {
  const wheel = parseWheelName(file);
  return wheel !== undefined && hosts.some((host) => mayTakeWheel(wheel, host));
}

async function fetchPin(
  folder: BundleFolder,
  context: FetchContext,
  { hosts }: PackagesNeed,
  pin: RequirementPin,
  index: IndexAddress,
): Promise<BundledFile[]> {
  const page = await fetchIndexPage(index, pin.name);
  const suitable = page.files.filter((link) => isFor(link.file, hosts) && isOf(link, pin));
  const wheels: BundledFile[] = [];
  for (const link of new Map(suitable.map((each) => [each.file, each])).values())
    wheels.push(await fetchWheel(folder, context, { pin, link, page, index }));
  return wheels;
}

/** By its hash; of an index that tells none by its name, and its hash is looked at when it is there. */
function isOf({ file, sha256 }: IndexLink, { version, sha256s }: RequirementPin): boolean {
  return sha256 === undefined ? parseWheelName(file)?.version === version : sha256s.includes(sha256);
}

interface OneWheel {
  readonly pin: RequirementPin;
  readonly link: IndexLink;
  readonly page: IndexPage;
  readonly index: IndexAddress;
}

async function fetchWheel(
  folder: BundleFolder,
  { host, signal }: FetchContext,
  { pin, link, page, index }: OneWheel,
): Promise<BundledFile> {
  const url = new URL(link.address, page.address);
  url.hash = "";
  const known = link.sha256 !== undefined && (await folder.findDamage(fileName(link.sha256), undefined)) === undefined;
  let sha256 = link.sha256 ?? "";
  if (!known) {
    const part = join(folder.partial, "wheels", link.file);
    const { authorization } = index.headers;
    const isOwn = url.origin === new URL(index.address).origin;
    sha256 = await host.download(url.href, part, {
      ...(authorization === undefined || !isOwn ? {} : { headers: { authorization } }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (!pin.sha256s.includes(sha256)) {
      await host.remove(part);
      throw new BerthError("checksum-mismatch", {
        where: `${url.origin}${url.pathname}`,
        what: "a package is not the one that is pinned",
        got: `sha256 ${sha256}`,
        expected: `sha256 ${pin.sha256s.join(" or ")}`,
        hint: "if the index is a mirror, check what it serves; otherwise the requirements file is wrong",
      });
    }
    await folder.place(part, fileName(sha256));
  }
  const name = `${pin.name}==${pin.version}`;
  return fileOf(folder, { sha256, kind: "wheel", name, wheel: link.file, from: `${url.origin}${url.pathname}` });
}

function lostRequirements({ requirements, of }: PackagesNeed): BerthError {
  return new BerthError("file-not-found", {
    where: requirements.file,
    what: `the list of the packages of ${of} is not there as it was locked`,
    expected: `sha256 ${requirements.sha256}`,
    hint: "restore it from version control; where releases are made, `berth lock` locks the present one",
  });
}
