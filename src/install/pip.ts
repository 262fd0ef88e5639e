import type { Host, RunResult } from "../host/host.js";
import { BerthError, type ErrorCode, type ErrorParts } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";

/** Few retries and short waits: an index that does not answer is told within a minute, not after ten. */
const patience = ["--retries", "2", "--timeout", "15", "--no-input", "--disable-pip-version-check"];
const shownLines = 15;

export interface PipOptions {
  subject: string;
  indexUrl?: string | undefined;
  env?: Readonly<Record<string, string>>;
  onProgress?: (current: number, total: number) => void;
  signal?: AbortSignal;
}

/** Runs `python -m pip ...`; a failure becomes an error that tells what pip could not do. */
export async function runPip(host: Host, python: string, args: readonly string[], options: PipOptions): Promise<void> {
  const { onProgress } = options;
  const index = options.indexUrl === undefined ? [] : ["--index-url", options.indexUrl];
  const result = await host.run([python, "-m", "pip", ...args, ...patience, ...index], {
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(onProgress === undefined ? {} : { onLine: (line: string) => reportProgress(line, onProgress) }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  if (result.exitCode !== 0) throw pipFailure(result, options);
}

/** Calls back for a line `Progress <bytes> of <bytes>`, as pip's raw progress and Berth's scripts print it. */
export function reportProgress(line: string, onProgress: (current: number, total: number) => void): void {
  const [, current, total] = /^Progress (\d+) of (\d+)$/.exec(line) ?? [];
  if (current !== undefined && total !== undefined) onProgress(Number(current), Number(total));
}

interface KnownFailure {
  readonly pattern: RegExp;
  readonly code: ErrorCode;
  readonly what: string;
  readonly hint: string;
  readonly compare?: (output: string, options: PipOptions) => Pick<ErrorParts, "got" | "expected">;
}

const failures: readonly KnownFailure[] = [
  {
    pattern: /do not match the hashes|hashes are required|MISMATCH/i,
    code: "checksum-mismatch",
    what: "a package is not the one that is pinned",
    hint: "if the index is a mirror, check what it serves; otherwise the requirements file is wrong",
    compare: (output) => ({
      ...optional("got", output, /^\s*Got\s+([0-9a-f]{64})\s*$/m),
      ...optional("expected", output, /^\s*Expected sha256 ([0-9a-f]{64})\s*$/m),
    }),
  },
  {
    pattern: /no space left on device|errno 28/i,
    code: "disk-full",
    what: "no space is left on the host's disk",
    hint: "free some space on the file system of the host's dataDir, then run it again",
  },
  {
    pattern:
      /newconnectionerror|name resolution|max retries|connection (refused|reset|broken)|timed out|no matching distribution|could not find a version|404 client error|proxyerror|sslerror/i,
    code: "index-unreachable",
    what: "the Python package index did not answer or does not have the package for this host",
    hint: "check the network, or name an index that this host reaches: `mirrors: { pip: https://... }` in the stack file",
    compare: (output, { indexUrl }) => {
      const error = /^ERROR: (.+)$/m.exec(output)?.[1];
      const expected = `the packages, from ${indexUrl ?? "the index that pip is set up with"}`;
      return { ...(error === undefined ? {} : { got: error }), expected };
    },
  },
];

function optional(key: "got" | "expected", output: string, pattern: RegExp): Pick<ErrorParts, "got" | "expected"> {
  const digest = pattern.exec(output)?.[1];
  return digest === undefined ? {} : { [key]: `sha256 ${digest}` };
}

function pipFailure(result: RunResult, options: PipOptions): BerthError {
  const output = `${result.stdout}\n${result.stderr}`;
  const known = failures.find(({ pattern }) => pattern.test(output));
  return new BerthError(known?.code ?? "install-failed", {
    where: options.subject,
    what: known?.what ?? `pip failed with exit code ${result.exitCode}`,
    ...known?.compare?.(output, options),
    ...(known === undefined ? {} : { hint: known.hint }),
    detail: lastLines(withoutProgress(output), shownLines),
  });
}

function withoutProgress(output: string): string {
  return output
    .split("\n")
    .filter((line) => line.trim() !== "" && !/^Progress \d+ of \d+$/.test(line))
    .join("\n");
}
