/** Whether what runs, and what it runs from, is what a lock asks for. Pure. */
import { maskWords } from "../catalog/secret-words.js";
import type { Redact } from "../lib/redact.js";

/** What was seen, or why it cannot be told. */
export type Seen<T> = { readonly value: T } | { readonly unknown: string };

/** `unknown`: it cannot be told, which proves as little as a difference. */
export type Verdict = "proven" | "differs" | "unknown";

export interface ProofRow {
  readonly what: string;
  /** Short, without secrets, as the next one. */
  readonly wanted: string;
  readonly found: string;
  readonly verdict: Verdict;
}

export function isProven(rows: readonly ProofRow[]): boolean {
  return rows.length > 0 && rows.every(({ verdict }) => verdict === "proven");
}

export interface FileIdentity {
  readonly path: string;
  readonly sha256: string;
}

/** A process, or the first one of a container, as its host tells. */
export interface SeenProcess {
  /** The file that it executes; ` (deleted)` behind it when another one, or none, has its place by now. */
  readonly executable: Seen<string>;
  /** SHA-256 of that very file. */
  readonly executableSha256: Seen<string>;
  readonly argv: Seen<readonly string[]>;
  readonly environment: Seen<Readonly<Record<string, string>>>;
}

const shownDigest = 12;

/** A row about a file by its SHA-256. */
export function compareDigest(what: string, wanted: string, found: Seen<string>): ProofRow {
  const row = { what, wanted: describeDigest(wanted) };
  if ("unknown" in found) return { ...row, found: found.unknown, verdict: "unknown" };
  return { ...row, found: describeDigest(found.value), verdict: found.value === wanted ? "proven" : "differs" };
}

export function describeDigest(sha256: string): string {
  return `sha256 ${sha256.replace(/^sha256:/, "").slice(0, shownDigest)}`;
}

/** The file that a process executes: the right one by its path and its content. */
export function compareExecutable(
  what: string,
  wanted: Seen<FileIdentity>,
  { executable, executableSha256 }: Pick<SeenProcess, "executable" | "executableSha256">,
): ProofRow {
  const found = describeFile(executable, executableSha256);
  if ("unknown" in wanted) return { what, wanted: wanted.unknown, found, verdict: "unknown" };
  const row = { what, wanted: `${wanted.value.path}, ${describeDigest(wanted.value.sha256)}`, found };
  if ("unknown" in executable || "unknown" in executableSha256) return { ...row, verdict: "unknown" };
  const path = executable.value.replace(/ \(deleted\)$/, "");
  const isRight = path === wanted.value.path && executableSha256.value === wanted.value.sha256;
  return { ...row, verdict: isRight ? "proven" : "differs" };
}

function describeFile(path: Seen<string>, sha256: Seen<string>): string {
  if ("unknown" in path) return path.unknown;
  return `${path.value}, ${"unknown" in sha256 ? sha256.unknown : describeDigest(sha256.value)}`;
}

/** What a script's first line tells, beside its interpreter. */
export interface Script {
  readonly argument: string | undefined;
}

export interface WantedArguments {
  readonly argv: readonly string[];
  /** Undefined for a program. */
  readonly script?: Script | undefined;
  /** Makes a word fit to be shown. */
  readonly redact: Redact;
}

/**
 * A process's arguments. A script is executed by an interpreter, which then stands before the script's own path, with
 * the argument that the script gives it; which interpreter it is, the executable tells.
 */
export function compareArguments({ argv, script, redact }: WantedArguments, found: Seen<readonly string[]>): ProofRow {
  const row = { what: "arguments", wanted: countWords(argv) };
  if ("unknown" in found) return { ...row, found: found.unknown, verdict: "unknown" };
  const words = found.value.slice(interpreterWords(found.value, script));
  const difference = firstDifference(argv, words, redact);
  if (difference === undefined) return { ...row, found: "the same words", verdict: "proven" };
  return { ...row, found: difference, verdict: "differs" };
}

function interpreterWords(found: readonly string[], script: Script | undefined): number {
  if (script === undefined) return 0;
  return script.argument !== undefined && found[1] === script.argument ? 2 : 1;
}

function countWords(words: readonly string[]): string {
  return `${words.length} ${words.length === 1 ? "word" : "words"}`;
}

function firstDifference(wanted: readonly string[], found: readonly string[], redact: Redact): string | undefined {
  const length = Math.max(wanted.length, found.length);
  const show = (words: readonly string[], at: number) => shorten(redact(maskWords(words)[at] ?? ""));
  for (let at = 0; at < length; at += 1) {
    const [want, have] = [wanted[at], found[at]];
    if (want === have) continue;
    if (want === undefined) return `word ${at + 1} is too many: ${show(found, at)}`;
    if (have === undefined) return `word ${at + 1} is missing: ${show(wanted, at)}`;
    return `word ${at + 1} is ${show(found, at)}, not ${show(wanted, at)}`;
  }
  return undefined;
}

const shownWord = 80;

/** Once secrets are out of it: a part of one is one too. */
function shorten(word: string): string {
  return word.length <= shownWord ? word : `${word.slice(0, shownWord)}…`;
}

/** What shells set of themselves that a script may have been started through. */
const shellNames = ["PWD", "OLDPWD", "SHLVL", "_"];

/** An environment by its names: of values, some of which are secrets, it is told only whether they are equal. */
export function compareEnvironment(
  wanted: Seen<Readonly<Record<string, string>>>,
  found: Seen<Readonly<Record<string, string>>>,
): ProofRow {
  const what = "environment";
  if ("unknown" in wanted) return { what, wanted: wanted.unknown, found: "not compared", verdict: "unknown" };
  const asked = `${Object.keys(wanted.value).length} variables`;
  if ("unknown" in found) return { what, wanted: asked, found: found.unknown, verdict: "unknown" };
  const differences = [...variableDifferences(wanted.value, found.value)];
  if (differences.length === 0) return { what, wanted: asked, found: "the same values", verdict: "proven" };
  return { what, wanted: asked, found: differences.join(", "), verdict: "differs" };
}

function* variableDifferences(
  wanted: Readonly<Record<string, string>>,
  found: Readonly<Record<string, string>>,
): Generator<string> {
  for (const name of Object.keys(wanted).sort()) {
    if (!Object.hasOwn(found, name)) yield `${name} is missing`;
    else if (found[name] !== wanted[name]) yield `${name} has another value`;
  }
  for (const name of Object.keys(found).sort())
    if (!Object.hasOwn(wanted, name) && !shellNames.includes(name)) yield `${name} is too many`;
}

export interface WantedImage {
  readonly reference: string;
  readonly digest: string;
  /** Its other digests on the host's platform. */
  readonly ids?: readonly string[] | undefined;
}

export interface SeenImage {
  /** The engine's own name of it. */
  readonly id: string;
  /** `NAME@sha256:...` for each repository that it was pulled from; none when the engine has it no more. */
  readonly names: readonly string[];
}

/** The image that a container is made of: by its own digest, or by the lock's under which it was pulled. */
export function compareImage({ reference, digest, ids = [] }: WantedImage, { id, names }: SeenImage): ProofRow {
  const isRight = [digest, ...ids].includes(id) || names.some((name) => name.endsWith(`@${digest}`));
  return {
    what: "image",
    wanted: `${reference}, ${describeDigest(digest)}`,
    found: `id ${describeDigest(id)}`,
    verdict: isRight ? "proven" : "differs",
  };
}

/** What was written down when an installation was verified, against all that lies there now. */
export function compareFiles(count: number | undefined, changes: readonly string[]): ProofRow {
  const what = "installed files";
  if (count === undefined)
    return { what, wanted: "as they were verified", found: "the list of its files is missing", verdict: "unknown" };
  const wanted = `${count} as they were verified`;
  const [first, ...others] = changes;
  if (first === undefined) return { what, wanted, found: "the same bytes", verdict: "proven" };
  const found = others.length === 0 ? first : `${first}, and ${others.length} more`;
  return { what, wanted, found, verdict: "differs" };
}
