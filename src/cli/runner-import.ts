import { mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import type { RunnerCatalogue } from "../catalog/runner-catalogue.js";
import { changesAnything, mergeUpstream, type UpstreamChange, type UpstreamMerge } from "../catalog/runner-upstream.js";
import { printable } from "../lib/printable.js";
import { lookUp } from "../lib/record.js";
import { shown } from "../lib/shown.js";
import { writtenPath } from "../lock/catalogue-folder.js";
import { readRunners, runnerPathOf } from "../lock/runner-files.js";
import { mergedRunnerText } from "../lock/runner-text.js";
import { writeWhole } from "../lock/whole-file.js";
import { parseYaml } from "../schema/document.js";
import { upstreamRelease } from "../schema/runner-upstream.js";
import { readText } from "./backend-files.js";
import { plainTable } from "./table.js";
import { packageRoot, type Workplace } from "./workplace.js";

/** A release of some years is below 1 MB. */
const largestReleaseBytes = 20_000_000;

export interface RunnerImportOptions {
  /** Write what is shown. */
  write?: boolean;
}

/**
 * Shows what a release of GPUStack's runner images changes of the catalogue, and writes it into the project's files when
 * asked to.
 */
export async function importRunners(workplace: Workplace, from: string, options: RunnerImportOptions): Promise<void> {
  const { root } = workplace;
  const text = readText(resolve(from), from, largestReleaseBytes);
  const entries = parseYaml(text, from, upstreamRelease, largestReleaseBytes);
  const catalogue = readRunners(root, packageRoot);
  const merge = mergeUpstream(catalogue, entries);
  for (const line of formatMerge(merge, catalogue)) workplace.print(line);
  if (options.write === true) {
    for (const { path, text } of mergedFiles(root, catalogue, merge)) {
      await mkdir(dirname(path), { recursive: true });
      await writeWhole(writtenPath(path), text);
      workplace.note(`${shown(root, path)} is written`);
    }
  }
  workplace.note(summarize(merge, catalogue, options.write === true));
}

/** What was done, and what is left to do. */
function summarize(merge: UpstreamMerge, catalogue: RunnerCatalogue, isWritten: boolean): string {
  const { added, changed, leftOut } = merge;
  const names = leftOut.reduce((count, { names: some }) => count + some.length, 0);
  const runtimes = newRuntimes(merge, catalogue).length;
  const left = [
    ...(names === 0 ? [] : [`${names} of the release ${names === 1 ? "is" : "are"} left out, as told above`]),
    ...(runtimes === 0 || !isWritten
      ? []
      : [
          `for ${runtimes} new ${runtimes === 1 ? "runtime" : "runtimes"} it is still to be told which devices there is code for`,
        ]),
  ];
  const rest = left.length === 0 ? "" : `; ${left.join(", and ")}`;
  const counted = `${added.length} added, ${changed.length} changed`;
  if (!changesAnything(merge))
    return names === 0 ? "the catalogue has all of it already" : `nothing is there to be added or changed${rest}`;
  return isWritten ? `${counted}${rest}` : `nothing is written; --write writes this: ${counted}${rest}`;
}

/** Each file that is changed. All are known before one is written. */
function mergedFiles(root: string, { services }: RunnerCatalogue, { added, changed }: UpstreamMerge) {
  const types = new Set([...added, ...changed.map(({ image }) => image)].map(({ acceleratorType }) => acceleratorType));
  return [...types].sort().map((type) => {
    const path = join(root, "backends", "runners", `${type}.yaml`);
    const before = readText(runnerPathOf(type, root, packageRoot), shown(root, path), largestReleaseBytes);
    const text = mergedRunnerText(before, shown(root, path), {
      added: added.filter(({ acceleratorType }) => acceleratorType === type),
      changed: changed.filter(({ image }) => image.acceleratorType === type),
      services,
    });
    return { path, text };
  });
}

/** What is to be reviewed, for people. */
export function formatMerge(merge: UpstreamMerge, catalogue: RunnerCatalogue): string[] {
  const { added, changed, keptDeprecated, missing, leftOut } = merge;
  const rows = [
    ...added.map((image) => [
      "+",
      image.tag,
      `${image.runtimeVersion ?? "-"} ${image.platforms.join(" ")}${image.deprecated ? ", deprecated" : ""}`,
    ]),
    ...changed.map((change) => ["~", change.image.tag, describeChange(change, catalogue)]),
    ...missing.map((tag) => ["!", tag, "not in the release; it stays"]),
  ];
  return [
    ...(rows.length === 0 ? [] : [plainTable(["", "IMAGE", "WHAT"], rows)]),
    ...(keptDeprecated.length === 0
      ? []
      : [
          `${keptDeprecated.length} are deprecated here and not in the release, and stay so: ${keptDeprecated.join(" ")}`,
        ]),
    ...leftOut.map(({ names, reason, hint }) => {
      const todo = hint === undefined ? "" : `; to do: ${hint}`;
      return printable(`left out, because ${reason}${todo}: ${names.join(" ")}`);
    }),
    ...withoutCapabilities(merge, catalogue),
  ];
}

function describeChange({ image, ...change }: UpstreamChange, { images }: RunnerCatalogue): string {
  const here = images.find(({ tag }) => tag === image.tag);
  const { platforms, runtimeVersion, published, deprecated } = change;
  return [
    ...(deprecated === undefined ? [] : ["deprecated now"]),
    ...(published === undefined ? [] : ["published now"]),
    ...(runtimeVersion === undefined ? [] : [`runtime ${here?.runtimeVersion ?? "unknown"} -> ${runtimeVersion}`]),
    ...(platforms === undefined ? [] : [`platforms ${(here?.platforms ?? []).join(" ")} -> ${platforms.join(" ")}`]),
  ].join(", ");
}

/** The release does not tell for which devices there is code in an image. */
function withoutCapabilities(merge: UpstreamMerge, catalogue: RunnerCatalogue): string[] {
  return newRuntimes(merge, catalogue).map(
    (runtime) =>
      `${runtime} is new: add the compute capabilities or LLVM targets of its images, which no release tells`,
  );
}

/** Those of types that tell for which devices there is code. */
function newRuntimes({ added }: UpstreamMerge, { files }: RunnerCatalogue): string[] {
  const runtimes = added.flatMap(({ acceleratorType, acceleratorVersion }) => {
    const { versions = [] } = lookUp(files, acceleratorType) ?? {};
    const tells = versions.some((each) => each.computeCapabilities !== undefined || each.llvmTargets !== undefined);
    const isNew = !versions.some(({ version }) => version === acceleratorVersion);
    return tells && isNew ? [`${acceleratorType} ${acceleratorVersion}`] : [];
  });
  return [...new Set(runtimes)];
}
