import type { Host } from "../host/host.js";
import { BerthError } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";
import type { VersionProbe } from "../schema/backend.js";

const defaultDeadlineSeconds = 120;
const longestShown = 200;
const longestDetail = 2000;

export interface EngineProbe {
  readonly executable: string;
  readonly probe: VersionProbe;
  /** The version that is pinned. */
  readonly version: string;
  /** Whose probe it is, for errors. */
  readonly subject: string;
  readonly deadlineSeconds?: number;
}

/**
 * Runs an installed engine and compares the version that it tells with the pinned one. Throws `install-failed` when it
 * tells another one, does not run, or does not end in time.
 */
export async function probeEngine(
  { host, signal }: { readonly host: Host; readonly signal?: AbortSignal },
  { executable, probe, version, subject, deadlineSeconds = defaultDeadlineSeconds }: EngineProbe,
): Promise<void> {
  const { exitCode, stdout, stderr } = await host.run([executable, ...probe.arguments], {
    timeoutSeconds: deadlineSeconds,
    ...(signal === undefined ? {} : { signal }),
  });
  const expected = versionPattern(probe.pattern, version);
  if (exitCode === 0 && [stdout, stderr].some((output) => expected.test(output))) return;
  const line = firstLine(stdout) ?? firstLine(stderr);
  const told = exitCode === 0 ? (line ?? "no output") : `exit code ${exitCode}${line === undefined ? "" : `: ${line}`}`;
  throw new BerthError("install-failed", {
    where: subject,
    what: "the installed engine does not tell the version that is pinned",
    got: exitCode === 124 ? `no end within ${deadlineSeconds} s` : told,
    expected: withVersion(probe.pattern, version),
    hint: `run \`${[executable, ...probe.arguments].join(" ")}\` on the host; if the engine is the right one, correct \`versionProbe\` in its backend file`,
    detail: lastLines(stderr.slice(-longestDetail), 10),
  });
}

/**
 * What a probe's output must hold: the pattern's words, with any blanks between them, and no more of a version around
 * them: neither `build 114345` nor `1.2.3rc1` is `build 11434` or `1.2.3`. A leading v does not count.
 */
export function versionPattern(pattern: string, version: string): RegExp {
  const text = withVersion(pattern.replaceAll(versionPlaceholder, "\0"), version).trim();
  const words = escape(text)
    .replaceAll(/\s+/g, "\\s+")
    .replaceAll("\0", `v?${escape(withoutV(version))}`);
  const before = /^[\w\0]/.test(text) ? "(?<![\\w.+]|\\d-)" : "";
  const after = /[\w\0]$/.test(text) ? "(?![\\w+~-]|\\.\\w)" : "";
  return new RegExp(`${before}${words}${after}`);
}

const versionPlaceholder = /\{\{\s*version\s*\}\}/g;
const numberPlaceholder = /\{\{\s*number\s*\}\}/g;

/** A version without digits at its end has no number: the placeholder stays, and no output holds it. */
function withVersion(pattern: string, version: string): string {
  const number = /\d+$/.exec(version)?.[0];
  const filled = pattern.replaceAll(versionPlaceholder, () => withoutV(version));
  return number === undefined ? filled : filled.replaceAll(numberPlaceholder, number);
}

function withoutV(version: string): string {
  return version.replace(/^v(?=\d)/, "");
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
}

function firstLine(output: string): string | undefined {
  const line = output.split("\n").find((each) => each.trim() !== "");
  return line
    ?.trim()
    .replaceAll(/\p{Cc}/gu, " ")
    .slice(0, longestShown);
}
