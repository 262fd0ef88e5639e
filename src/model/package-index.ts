import { parse, type DefaultTreeAdapterTypes } from "parse5";
import { z } from "zod";

import { BerthError } from "../lib/errors.js";
import { sha256 } from "../schema/scalars.js";
import { normalizeName } from "./package-name.js";

/** A file that a Python package index offers. */
export interface IndexFile {
  readonly file: string;
  readonly sha256: string | undefined;
}

/** The same, with where it is. */
export interface IndexLink extends IndexFile {
  /** Absolute, or as the page's own address has it. */
  readonly address: string;
}

/**
 * The files on a project's page of a package index: JSON as in PEP 691, or HTML as in PEP 503, told by the content type.
 */
export function parseIndexPage(contentType: string, text: string): IndexFile[] {
  return parseIndexLinks(contentType, text).map(({ file, sha256 }) => ({ file, sha256 }));
}

export function parseIndexLinks(contentType: string, text: string): IndexLink[] {
  return /\bjson\b/.test(contentType) ? parseJsonPage(text) : parseHtmlPage(text);
}

/** The one wheel of a version that suits every platform, as model wheels do. */
export function findUniversalWheel(
  files: readonly IndexFile[],
  name: string,
  version: string,
  where: string,
): { sha256: string } {
  const normal = normalizeName(name).replaceAll("-", "_");
  const found = files.filter(({ file }) => {
    const [project = "", fileVersion, ...tags] = file.replace(/\.whl$/, "").split("-");
    return (
      file.endsWith(".whl") &&
      normalizeName(project).replaceAll("-", "_") === normal &&
      fileVersion === version &&
      tags.at(-1) === "any"
    );
  });
  const wheel = found.find((file) => file.sha256 !== undefined) ?? found[0];
  if (wheel?.sha256 !== undefined) return { sha256: wheel.sha256 };
  throw new BerthError("index-unreachable", {
    where,
    what:
      wheel === undefined
        ? "the package index has no wheel of this version for all platforms"
        : "the package index gives no SHA-256 for the wheel",
    got: wheel?.file ?? `${files.length} files, none of them ${name} ${version}`,
    hint: "check name and version, or name another index: `mirrors: { pip: https://... }`",
  });
}

const jsonPage = z.object({ files: z.array(z.unknown()) }).catch({ files: [] });
const digests = z.object({ sha256: sha256.optional().catch(undefined) });
const jsonFile = z.object({ filename: z.string(), url: z.string().catch(""), hashes: digests.catch({}) });

/** What is no file is passed over, and what is no digest is none: an index may be anybody's. */
function parseJsonPage(text: string): IndexLink[] {
  return jsonPage.parse(JSON.parse(text)).files.flatMap((entry) => {
    const { data } = jsonFile.safeParse(entry);
    return data === undefined ? [] : [{ file: data.filename, sha256: data.hashes.sha256, address: data.url }];
  });
}

type Node = DefaultTreeAdapterTypes.Node;

function parseHtmlPage(text: string): IndexLink[] {
  return findAddresses(parse(text)).flatMap(readLink);
}

/** The addresses of all links, in order. Without recursion, because pages may be nested as deeply as they like. */
function findAddresses(root: Node): string[] {
  const addresses: string[] = [];
  const rest = [root];
  for (let node = rest.pop(); node !== undefined; node = rest.pop()) {
    const href = "tagName" in node && node.tagName === "a" ? node.attrs.find(({ name }) => name === "href") : undefined;
    if (href !== undefined) addresses.push(href.value);
    if ("childNodes" in node) for (const child of node.childNodes.toReversed()) rest.push(child);
  }
  return addresses;
}

/** A link's last part and fragment. The origin is there because relative links need one. */
function readLink(address: string): IndexLink[] {
  try {
    const { pathname, hash } = new URL(address, "https://index.invalid/");
    const file = decodeURIComponent(pathname.slice(pathname.lastIndexOf("/") + 1));
    const told = sha256.safeParse(hash.replace(/^#sha256=/, ""));
    return [{ file, sha256: told.data, address }];
  } catch {
    return [];
  }
}
