import { createContent } from "../install/content.js";
import { messageOf } from "../lib/errors.js";
import { formatBytes } from "../lib/format.js";
import { fileRows, imageRows, type FileRow, type ImageRow } from "../lock/need-rows.js";
import { needsOf, type RequirementTexts } from "../lock/needs.js";
import type { LockFile } from "../schema/lock.js";
import { printable } from "../lib/printable.js";
import type { needFormats } from "./arguments.js";
import { expectEnvironmentLock } from "./environment-lock.js";
import { plainTable } from "./table.js";
import { chooseStack, packageRoot, type Workplace } from "./workplace.js";

export interface ImagesOptions {
  stack?: string;
  /** Files too. */
  all?: boolean;
  format: (typeof needFormats)[number];
}

/** Lists what a lock needs that comes from elsewhere: container images, and if asked for everything else. */
export async function printNeeds(workplace: Workplace, { stack: named, all, format }: ImagesOptions): Promise<void> {
  const { root } = workplace;
  const lock = await expectEnvironmentLock(root, await chooseStack(workplace, named));
  const needs = needsOf(lock, await readRequirements(workplace, lock));
  const images = imageRows(needs);
  const files = all === true ? fileRows(needs) : [];
  const text = formatNeeds(images, files, format);
  if (text !== "") workplace.print(text);
  if (images.length + files.length === 0)
    workplace.note(all === true ? "the lock needs nothing" : "the lock needs no image");
}

/** The texts that tell which packages a lock needs. One that is lost is told of, and left out. */
export async function readRequirements(workplace: Workplace, lock: LockFile): Promise<RequirementTexts> {
  const content = createContent(packageRoot, workplace.root);
  const backends = new Map<string, string>();
  for (const { requirements } of needsOf(lock).packages) {
    try {
      backends.set(requirements.sha256, await content.backendFile(requirements));
    } catch (error) {
      workplace.note(`warning: ${messageOf(error)}`);
    }
  }
  const names = ["pip", "pipx", "supervisor"] as const;
  const tools = await Promise.all(names.map(async (name) => [name, await content.pythonTool(`${name}.txt`)] as const));
  return { backends, tools: new Map(tools) };
}

export function formatNeeds(
  images: readonly ImageRow[],
  files: readonly FileRow[],
  format: ImagesOptions["format"],
): string {
  switch (format) {
    case "json":
      return JSON.stringify([...images, ...files], undefined, 2);
    case "names":
      return [
        ...images.map(({ name, digest }) => `${name}@${digest}`),
        ...files.map(({ name, sha256s: [only, ...others] }) =>
          only === undefined || others.length > 0 ? name : `${name}@sha256:${only}`,
        ),
      ].join("\n");
    case "table":
      return [imageTable(images), fileTable(files)].filter((table) => table !== "").join("\n\n");
  }
}

function imageTable(rows: readonly ImageRow[]): string {
  if (rows.length === 0) return "";
  const cells = rows.flatMap(({ name, digest, platforms, hosts }) => {
    const known = Object.entries(platforms).sort(([one], [other]) => (one < other ? -1 : 1));
    const lines = known.map(([platform, { digest: own, sizeBytes }]) => [
      "",
      platform,
      short(own),
      sizeText(sizeBytes),
      "",
    ]);
    return [[name, "", short(digest), "", hosts.join(" ")], ...lines];
  });
  return plainTable(["IMAGE", "PLATFORM", "DIGEST", "SIZE", "HOSTS"], cells);
}

function fileTable(rows: readonly FileRow[]): string {
  if (rows.length === 0) return "";
  return plainTable(
    ["KIND", "NAME", "SHA256", "SIZE", "FROM", "FOR"],
    rows.map(({ kind, name, sha256s, sizeBytes, from, of }) => {
      return [kind, printable(name), digestText(sha256s), sizeText(sizeBytes), printable(from), of];
    }),
  );
}

function digestText([only, ...others]: readonly string[]): string {
  if (only === undefined) return "-";
  return others.length === 0 ? only.slice(0, 12) : `one of ${others.length + 1}`;
}

function short(digest: string): string {
  return digest.slice(0, "sha256:".length + 12);
}

function sizeText(sizeBytes: number | undefined): string {
  return sizeBytes === undefined ? "-" : formatBytes(sizeBytes);
}
