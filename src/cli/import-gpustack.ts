import { basename, join, resolve } from "node:path";

import { readReferenceExport } from "../catalog/reference-export.js";
import { convertExport, type ConvertedProject } from "../catalog/reference-project.js";
import { BerthError } from "../lib/errors.js";
import { printable } from "../lib/printable.js";
import { shown } from "../lib/shown.js";
import { backendText } from "../lock/backend-text.js";
import { importedStack } from "../lock/imported-stack.js";
import { readAcceleratorTypes } from "../lock/runner-files.js";
import { readText } from "./backend-files.js";
import { writeNew } from "./backend-import.js";
import { packageRoot, type Workplace } from "./workplace.js";

/** Exports hold the icons of backends. */
const largestExportBytes = 50_000_000;

export interface GpustackOptions {
  /** The stack file, relative to the project. */
  out: string;
  force?: boolean;
}

/**
 * Writes backend files and a stack file from files of what GPUStack's API returned, and tells what of it has no
 * counterpart here. All files are written, or none.
 */
export async function importGpustack(
  workplace: Workplace,
  files: readonly string[],
  options: GpustackOptions,
): Promise<void> {
  const { root } = workplace;
  const items = files.flatMap((file) => readReferenceExport(readJson(file), file));
  const project = convertExport(items, readAcceleratorTypes(root, packageRoot));
  const origin = files.map((file) => basename(file)).join(", ");
  const stack = importedStack(project, origin);
  const stackPath = resolve(root, options.out);
  const backends = project.backends.map(({ name, written, notes }) => {
    const head = `Imported by \`berth import gpustack\` from ${origin}.`;
    const text = backendText(written, [head, ...notes.map((note) => `- ${note}`)]);
    return { path: join(root, "backends", `${name}.yaml`), text };
  });
  const hasStack = project.deployments.length + project.hosts.length > 0;
  const newFiles = [...backends, ...(hasStack ? [{ path: stackPath, text: stack.text }] : [])];
  await writeNew(newFiles, root, options.force === true);

  for (const { name, versions } of project.backends) {
    workplace.print(`backends/${name}.yaml: versions ${versions.join(", ")}`);
  }
  if (hasStack) workplace.print(`${shown(root, stackPath)}: ${describeStack(project, stack.complete)}`);
  for (const line of describeRest(project)) workplace.print(printable(line));
}

function readJson(file: string): unknown {
  const text = readText(resolve(file), file, largestExportBytes);
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message shows a piece of the file, which may hold a key.
    throw new BerthError("file-invalid", {
      where: file,
      what: "the file is not JSON",
      expected: "what the API returns",
    });
  }
}

function describeStack({ deployments, hosts }: ConvertedProject, complete: boolean): string {
  const count = (number: number, what: string) => `${number} ${what}${number === 1 ? "" : "s"}`;
  const whole = complete ? "" : "; it is not complete, and its comments say what is missing";
  return `${count(deployments.length, "deployment")}, ${count(hosts.length, "worker")}${whole}`;
}

function describeRest({ backends, deployments, notes }: ConvertedProject): string[] {
  const section = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ["", title, ...lines.map((line) => `  ${line}`)];
  const of = (field: "toComplete" | "withoutCounterpart" | "changes") =>
    deployments.flatMap((deployment) => deployment[field].map((text) => `${deployment.name}: ${text}`));
  return [
    ...section("To complete:", of("toComplete")),
    ...section("Without counterpart:", of("withoutCounterpart")),
    ...section("Otherwise than there:", [
      ...of("changes"),
      ...backends.flatMap(({ name, notes: own }) => own.map((note) => `backend ${name}: ${note}`)),
    ]),
    ...section("Not imported:", notes),
  ];
}
