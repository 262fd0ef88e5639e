import { parse, type DefaultTreeAdapterTypes } from "parse5";

import { BerthError } from "../lib/errors.js";

/** A file that a Python package index offers. */
export interface IndexFile {
  readonly file: string;
  readonly sha256: string | undefined;
}

/**
 * The files on a project's page of a package index: JSON as in PEP 691, or HTML as in PEP 503, told by the content type.
 */
export function parseIndexPage(contentType: string, text: string): IndexFile[] {
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
  const [wheel] = found;
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

/** A package's name as index addresses have it (PEP 503). */
export function normalizeName(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, "-");
}

function parseJsonPage(text: string): IndexFile[] {
  const page = JSON.parse(text) as { files?: { filename?: unknown; hashes?: { sha256?: unknown } }[] };
  return (page.files ?? []).flatMap(({ filename, hashes }) =>
    typeof filename === "string"
      ? [{ file: filename, sha256: typeof hashes?.sha256 === "string" ? hashes.sha256 : undefined }]
      : [],
  );
}

type Node = DefaultTreeAdapterTypes.Node;

function parseHtmlPage(text: string): IndexFile[] {
  const anchors: IndexFile[] = [];
  const visit = (node: Node): void => {
    if ("tagName" in node && node.tagName === "a") {
      const address = node.attrs.find(({ name }) => name === "href")?.value ?? "";
      const [path = "", fragment = ""] = address.split("#");
      const file = decodeURIComponent(path.split("/").at(-1) ?? "");
      anchors.push({ file, sha256: /^sha256=([0-9a-f]{64})$/.exec(fragment)?.[1] });
    }
    if ("childNodes" in node) node.childNodes.forEach(visit);
  };
  visit(parse(text));
  return anchors;
}
