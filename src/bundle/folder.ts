/** The folder of a bundle: an OCI layout, files by their SHA-256, and `bundle.json`, which tells what is there. */
import { lstat, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import type { z } from "zod";

import { sha256 } from "../lib/canonical.js";
import { BerthError, systemCode } from "../lib/errors.js";
import { parseJson } from "../lib/json.js";
import { printable } from "../lib/printable.js";
import { bundleFile, type BundleFile } from "../schema/bundle.js";
import { findFileDamage, readPlain } from "./plain-file.js";
import { assertNoLinks, holdsOthers, makeFolder, notPlain } from "./made-folder.js";

const contentsName = "bundle.json";
/** What is being fetched: it is in no bundle. */
const partialName = ".partial";
const lockName = "lock.json";
/** Tells that a folder is a bundle's before there are contents. */
const markerName = ".berth-bundle";
const markerText = "A bundle of Berth is made here: `berth bundle create` removes what it does not need.\n";
const contentFolders = [".", "blobs", "blobs/sha256", "files", "files/sha256"];
const mostContentsBytes = 64 * 1024 * 1024;

/** Where something of a digest lies, below the bundle's folder. */
export function blobName(digest: string): string {
  return join("blobs", "sha256", hexOf(digest));
}

export function fileName(digest: string): string {
  return join("files", "sha256", hexOf(digest));
}

/** A path follows from 64 digits alone, wherever the digest comes from. */
function hexOf(digest: string): string {
  const hex = digest.replace(/^sha256:/, "");
  if (!/^[0-9a-f]{64}$/.test(hex)) throw new Error(`not a digest: ${digest}`);
  return hex;
}

export class BundleFolder {
  constructor(readonly path: string) {}

  at(name: string): string {
    return join(this.path, name);
  }

  /** Where downloads grow. */
  get partial(): string {
    return this.at(partialName);
  }

  /** Who makes the bundle now. */
  get lock(): string {
    return join(this.partial, lockName);
  }

  /**
   * Makes the folder, or takes one that a bundle was made in.
   *
   * @throws BerthError `usage` for one that holds other things, `host-foreign` for one with links in it
   */
  async prepare(): Promise<void> {
    await makeFolder(this.path);
    const names = await readdir(this.path);
    const isMarked = (await lstat(this.at(markerName)).catch(() => undefined))?.isFile() === true;
    // A name alone says nothing: what nobody needs is removed here.
    if (names.length > 0 && !isMarked && (await this.findContents()) === undefined) throw holdsOthers(this.path, names);
    await this.assertPlain([...contentFolders, partialName]);
    if (!isMarked) await this.#mark();
    for (const name of [partialName, "blobs/sha256", "files/sha256"]) await mkdir(this.at(name), { recursive: true });
    await assertNoLinks(this.partial);
  }

  async #mark(): Promise<void> {
    try {
      await writeFile(this.at(markerName), markerText, { flag: "wx" });
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
    }
  }

  /** Programs that are run from here: whoever made the folder may have put them there. */
  async dropTools(): Promise<void> {
    await rm(join(this.partial, "tools"), { recursive: true, force: true });
  }

  /** @throws BerthError `file-not-found`, or `file-invalid` for contents of another form */
  async readContents(): Promise<BundleFile> {
    const where = this.at(contentsName);
    await this.assertPlain();
    const bytes = await readPlain(where, mostContentsBytes);
    if (typeof bytes === "string") {
      throw new BerthError("file-not-found", {
        where,
        what: "the folder is no bundle, or not a complete one",
        got: `${contentsName} ${bytes}`,
        hint: "make it with `berth bundle create`, which goes on where it was interrupted",
      });
    }
    const read = bundleFile.safeParse(parseJson(Buffer.from(bytes).toString("utf8")));
    if (read.success) return read.data;
    throw new BerthError("file-invalid", {
      where,
      what: "the contents of the bundle do not have the form that they must have",
      got: describeIssues(read.error),
      hint: "make the bundle anew with `berth bundle create`, or use the version of Berth that made it",
    });
  }

  /** Undefined when a bundle was not completed here before. */
  async findContents(): Promise<BundleFile | undefined> {
    try {
      return await this.readContents();
    } catch (error) {
      if (error instanceof BerthError && error.code !== "host-foreign") return undefined;
      throw error;
    }
  }

  /** Puts a text in place in one step. */
  async writeText(name: string, text: string | Uint8Array): Promise<void> {
    const temporary = join(this.partial, name);
    await mkdir(dirname(temporary), { recursive: true });
    await writeFile(temporary, text, { flush: true });
    await this.place(temporary, name);
  }

  /** Gives what was begun its name, whatever had it. */
  async place(temporary: string, name: string): Promise<void> {
    const present = await lstat(this.at(name)).catch(() => undefined);
    if (present?.isDirectory() === true) await rm(this.at(name), { recursive: true });
    await rename(temporary, this.at(name));
  }

  /** The layout's list of images; undefined when there is none. */
  async readIndex(): Promise<string | undefined> {
    const bytes = await readPlain(this.at("index.json"), mostContentsBytes);
    return typeof bytes === "string" ? undefined : Buffer.from(bytes).toString("utf8");
  }

  async removePart(hex: string): Promise<void> {
    await rm(join(this.partial, "blobs", hex), { force: true });
  }

  async writeContents(contents: BundleFile): Promise<void> {
    await this.writeText(contentsName, `${JSON.stringify(contents, undefined, 2)}\n`);
  }

  /** A manifest or configuration. @throws BerthError `checksum-mismatch` when it is not what its name says */
  async readBlob(digest: string, mostBytes = 4 * 1024 * 1024): Promise<Uint8Array> {
    const name = blobName(digest);
    const bytes = await readPlain(this.at(name), mostBytes);
    if (typeof bytes !== "string" && `sha256:${sha256(bytes)}` === digest) return bytes;
    throw damaged(this.path, [`${name} ${typeof bytes === "string" ? bytes : `has sha256 ${sha256(bytes)}`}`]);
  }

  /** What is wrong with a file of the bundle, as the end of a sentence; undefined when it is what its name says. */
  async findDamage(name: string, sizeBytes: number | undefined, signal?: AbortSignal): Promise<string | undefined> {
    return findFileDamage(this.at(name), hexOf(name.slice(-64)), sizeBytes, signal);
  }

  /** Takes away what nobody names any more. @returns how many files that were */
  async prune(wanted: ReadonlySet<string>): Promise<number> {
    const folders = [join("blobs", "sha256"), join("files", "sha256")];
    const present = await Promise.all(
      folders.map(async (folder) => (await readdir(this.at(folder))).map((name) => join(folder, name))),
    );
    const unwanted = present.flat().filter((name) => /[/\\][0-9a-f]{64}$/.test(name) && !wanted.has(name));
    for (const name of unwanted) await rm(this.at(name), { recursive: true, force: true });
    for (const name of await readdir(this.partial))
      if (name !== lockName) await rm(join(this.partial, name), { recursive: true, force: true });
    return unwanted.length;
  }

  /** Links of a folder that somebody else has made lead wherever they like. */
  async assertPlain(folders: readonly string[] = contentFolders): Promise<void> {
    for (const name of folders) {
      const path = name === "." ? `${this.path}/.` : this.at(name);
      const status = await lstat(path).catch(() => undefined);
      if (status === undefined || status.isDirectory()) continue;
      throw notPlain(path, status.isSymbolicLink(), "a folder");
    }
  }
}

const mostIssues = 5;
const mostIssueCharacters = 200;

/** A few of them, each on a line that nothing in the file can end. */
function describeIssues({ issues }: z.ZodError): string {
  const lines = issues.slice(0, mostIssues).map(({ path, message }) => {
    const text = printable(`${path.join(".")}: ${message}`);
    return text.length > mostIssueCharacters ? `${text.slice(0, mostIssueCharacters)}...` : text;
  });
  const rest = issues.length > mostIssues ? [`and ${issues.length - mostIssues} more`] : [];
  return [...lines, ...rest].join("; ");
}

export function damaged(path: string, problems: readonly string[]): BerthError {
  const [first = "", ...others] = problems;
  return new BerthError("checksum-mismatch", {
    where: path,
    what: "the bundle is damaged",
    got: others.length === 0 ? first : `${first}, and ${others.length} more`,
    hint: "`berth bundle verify` names all that is wrong; `berth bundle create` fetches it anew, where it can be fetched",
    ...(others.length === 0 ? {} : { detail: problems.join("\n") }),
  });
}
