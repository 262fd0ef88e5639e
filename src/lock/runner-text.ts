import type { UpstreamChange, UpstreamImage } from "../catalog/runner-upstream.js";
import { lookUp } from "../lib/record.js";
import { parseYaml } from "../schema/document.js";
import { runnerFile } from "../schema/runner.js";
import { runnerMatrix } from "../schema/runner-matrix.js";
import { addEntry, addService, changeEntry, printRunnerFile, type EntryName } from "./runner-entry.js";
import { listUnder, openEdit, rootOf } from "./yaml-edit.js";
import { printEdit } from "./yaml-splices.js";

/** What of a merge is of one accelerator type. */
export interface FileMerge {
  readonly added: readonly UpstreamImage[];
  readonly changed: readonly UpstreamChange[];
  /** Names for people of all services. */
  readonly services: Readonly<Record<string, string>>;
}

/**
 * A file of runner images with a merge applied. All that the merge says nothing of stays as it was written.
 *
 * @throws BerthError `file-invalid` with its place where the file cannot be changed in place
 */
export function mergedRunnerText(text: string, file: string, { added, changed, services }: FileMerge): string {
  if (added.length + changed.length === 0) return text;
  const { repository } = parseYaml(text, file, runnerFile);
  const edit = openEdit(text, file);
  for (const image of added) {
    const { runtimeVersion, platforms } = image;
    addService(edit, image.service, lookUp(services, image.service) ?? image.service);
    addEntry(edit, image, {
      ...{ runtimeVersion, platforms, deprecated: image.deprecated || undefined, listed: false },
      repository: image.repository === repository ? undefined : image.repository,
    });
  }
  for (const { image, runtimeVersion, platforms, published, deprecated } of changed) {
    // It is another image now.
    const digest = platforms === undefined && runtimeVersion === undefined ? undefined : null;
    changeEntry(edit, image, { runtimeVersion, platforms, published, deprecated, digest });
  }
  return printRunnerFile(edit);
}

/** A new image of a file, which may be none of a release. */
export interface NewImage extends EntryName {
  readonly runtimeVersion: string | undefined;
  /** Left out where there is no such image yet. */
  readonly platforms?: readonly string[] | undefined;
  /** Name of the service for people. */
  readonly serviceName: string;
}

/** A file of runner images with one more image, and its service where that is new; see {@link mergedRunnerText}. */
export function addedImageText(text: string, file: string, image: NewImage): string {
  const { service, serviceName, runtimeVersion, platforms } = image;
  const edit = openEdit(text, file);
  addService(edit, service, serviceName);
  const published = platforms === undefined ? false : undefined;
  addEntry(edit, image, { runtimeVersion, platforms, published, listed: false });
  return printRunnerFile(edit);
}

/** A build matrix with the rules of another one after its own; see {@link mergedRunnerText}. */
export function addedRulesText(text: string, file: string, other: string): string {
  parseYaml(text, file, runnerMatrix);
  const edit = openEdit(text, file);
  const { items } = listUnder(edit, rootOf(edit), "rules");
  const added = openEdit(other, file);
  items.push(...listUnder(added, rootOf(added), "rules").items);
  const printed = printEdit(edit);
  parseYaml(printed, file, runnerMatrix);
  return printed;
}
