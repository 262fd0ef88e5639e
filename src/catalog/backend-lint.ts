import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import type { BackendFile } from "../schema/backend.js";
import { exampleForms, exampleValues } from "./backend-summary.js";
import { renderCommand } from "./command.js";
import { chooseRunnerTemplates, type Satisfies, type Template } from "./runner-command.js";

/** Something wrong with, or to know of, a backend file that its schema takes. */
export interface Finding {
  /** In Berth's own format. */
  readonly path: readonly PropertyKey[];
  readonly text: string;
  readonly severity: "problem" | "note";
}

/**
 * What is wrong with a backend file though its schema takes it: versions that nothing installs, commands that cannot
 * be filled in, no default version. What is not pinned is a note.
 *
 * @param merged the backend with the one that it lies over, if there is one
 * @param versions those that the file itself has
 * @param affected those whose commands the file changes: of a backend below also, where it says more than versions
 */
export function lintBackend(
  merged: BackendFile,
  versions: readonly string[],
  satisfies: Satisfies,
  affected: readonly string[] = versions,
): Finding[] {
  const findings: Finding[] = [];
  if (merged.defaultVersion === undefined) {
    findings.push({
      path: ["name"],
      severity: "problem",
      text: "no defaultVersion: each deployment must name a version",
    });
  }
  const commands = new Map<string, { finding: Finding; versions: string[] }>();
  for (const version of versions) {
    const entry = lookUp(merged.versions, version);
    if (entry === undefined) continue;
    if (Object.keys(entry.install).length === 0) {
      const text = `version ${version} has no way to be installed`;
      findings.push({ path: ["versions", version, "install"], severity: "problem", text });
    }
    findings.push(...lintPins(version, entry.install));
  }
  for (const version of affected) {
    for (const finding of lintCommands(merged, version, satisfies)) {
      const key = JSON.stringify([finding.path, finding.text]);
      const known = commands.get(key) ?? { finding, versions: [] };
      if (!known.versions.includes(version)) known.versions.push(version);
      commands.set(key, known);
    }
  }
  for (const { finding, versions: affected } of commands.values()) {
    findings.push({ ...finding, text: `${finding.text} (of version ${affected.join(", ")})` });
  }
  return findings;
}

function lintCommands(backend: BackendFile, version: string, satisfies: Satisfies): Finding[] {
  const entry = lookUp(backend.versions, version);
  if (entry === undefined) return [];
  const forms = exampleForms(backend.name, version, entry);
  if (forms.length === 0) forms.push({ kind: "process", executable: backend.name });
  return forms.flatMap((form) => {
    const choice = { backend, version, entry, deployment: {}, form, satisfies };
    const { entrypoint, runCommand, env } = chooseRunnerTemplates(choice);
    const values = { builtIn: exampleValues(form), environment: env };
    const templates = [["entrypoint", entrypoint] as const, ["runCommand", runCommand] as const];
    return templates.flatMap(([field, template]) => {
      const problem = template === undefined ? undefined : problemOf(() => renderCommand(template.text, values));
      if (template === undefined || problem === undefined) return [];
      return [{ path: pathOf(template, field, version), severity: "problem" as const, text: problem }];
    });
  });
}

/** What an action says is wrong, in one line. */
function problemOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    const { what, expected } = error.parts;
    return expected === undefined ? what : `${what}; expected ${expected}`;
  }
}

function pathOf({ origin }: Template, field: "entrypoint" | "runCommand", version: string): PropertyKey[] {
  switch (origin.from) {
    case "version":
      return ["versions", version, field];
    case "image":
      return ["images", origin.index, field];
    default:
      return [field];
  }
}

function lintPins(version: string, install: BackendFile["versions"][string]["install"]): Finding[] {
  const { binary = [], pipx, image } = install;
  const note = (path: PropertyKey[], text: string): Finding => {
    return { path: ["versions", version, "install", ...path], severity: "note", text: `${text}; \`lock\` resolves it` };
  };
  return [
    ...binary.flatMap(({ sha256, os, arch }, index) =>
      sha256 === undefined ? [note(["binary", index], `the file for ${os} ${arch} has no sha256`)] : [],
    ),
    ...(pipx !== undefined && pipx.requirements === undefined ? [note(["pipx"], "there are no requirements")] : []),
    ...(image !== undefined && image.digest === undefined ? [note(["image"], "the image has no digest")] : []),
  ];
}
