import { lookUp } from "../lib/record.js";
import { parseYaml } from "../schema/document.js";
import { runnerFile, type RunnerFile } from "../schema/runner.js";
import { addEntry, changeEntry, printRunnerFile, type EntryFields, type EntryName } from "./runner-entry.js";
import { openEdit } from "./yaml-edit.js";

/** What a catalogue file is to say of an image that was released. */
export interface ReleasedEntry extends EntryName {
  readonly runtimeVersion: string;
  readonly platforms: readonly string[];
  readonly digest: string;
  /** Where it is, without its tag: `registry.example.net/team/runner`. */
  readonly repository: string;
  /** Whether it was changed in place under its tag. So it was, too, where the file has another digest of it. */
  readonly polished: boolean;
}

/**
 * A file of runner images with one that was released, or with what is known now of one that is there; all else
 * stays as it was written.
 *
 * @throws BerthError `file-invalid` with its place where the file cannot be changed in place
 */
export function releasedRunnerText(text: string, file: string, entry: ReleasedEntry): string {
  const known = parseYaml(text, file, runnerFile);
  const before = findImage(known, entry);
  const { runtimeVersion, platforms, digest, repository } = entry;
  const from = before?.repository ?? known.repository;
  const isOther = before?.digest !== undefined && before.digest !== digest && from === repository;
  const fields: EntryFields = {
    ...{ runtimeVersion, platforms, digest },
    published: before?.published === false ? true : undefined,
    polished: entry.polished || isOther ? true : undefined,
    repository: repository === known.repository && before?.repository === undefined ? undefined : repository,
  };
  const edit = openEdit(text, file);
  if (before === undefined) addEntry(edit, entry, fields);
  else changeEntry(edit, entry, fields);
  return printRunnerFile(edit);
}

function findImage({ versions }: RunnerFile, { acceleratorVersion, variant, service, serviceVersion }: EntryName) {
  const version = versions.find((one) => one.version === acceleratorVersion && one.variant === variant);
  return lookUp(version?.images ?? {}, service)?.find((one) => one.version === serviceVersion);
}
