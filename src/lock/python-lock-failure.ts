import type { RunResult } from "../host/host.js";
import { BerthError, type ErrorParts } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";
import { createRedact } from "../lib/redact.js";
import { readCredentials } from "./index-address.js";
import { subjectOf, type LockRequest } from "./python-lock-request.js";

const shownLines = 15;

/** Why uv found no lock, in words of Berth and with the last lines of uv's own. */
export function lockFailure(result: RunResult, request: LockRequest, index: string | undefined): BerthError {
  const redact = createRedact(readCredentials(index ?? ""));
  const output = redact(result.stderr.replace(/^warning: .*\n/gm, ""));
  const { code, ...parts } = explain(output, result.exitCode, request);
  return new BerthError(code, { where: subjectOf(request), ...parts, detail: lastLines(output, shownLines) });
}

function explain(
  output: string,
  exitCode: number,
  request: LockRequest,
): ErrorParts & { code: "index-unreachable" | "packages-unsolvable" } {
  const text = output.replace(/\s+/g, " ");
  // uv puts a marker in braces behind a name: `tokens{sys_platform == 'linux'}==2.1`.
  const [, wheelless = "", ofVersion = ""] =
    /Because ([A-Za-z0-9._-]+)(?:\{[^}]*\})?(==[^\s,]+)? has no (?:usable |`[^`]*`-compatible )?wheels/.exec(text) ??
    [];
  const missing = /there is no version of (\S+)/.exec(text)?.[1] ?? /Because (\S+) was not found in/.exec(text)?.[1];
  if (exitCode === 124 || /Request failed|Failed to (?:fetch|download)|error sending request/i.test(text)) {
    return {
      code: "index-unreachable",
      what: "the package index did not answer",
      hint: "check the network, or name an index that this machine reaches: `mirrors: { pip: https://... }`",
    };
  }
  if (missing !== undefined) {
    return {
      code: "index-unreachable",
      what: "the package index does not have what is asked for",
      got: missing,
      hint: "check name and version, or name another index: `mirrors: { pip: https://... }`",
    };
  }
  if (wheelless !== "") {
    return {
      code: "packages-unsolvable",
      what: "the package index has no wheel of a package, and Berth installs only wheels",
      got: `${wheelless}${ofVersion}`,
      expected: `a wheel for ${request.platforms.map(({ os, arch }) => `${os} ${arch}`).join(", ")}, Python ${request.python}`,
      hint: "narrow `os`, `arch` or `python` in the backend file, or name an index that has the wheel",
    };
  }
  const python = /(?:does not satisfy|requires) Python ?([<>=!~][^\s]*?),? /.exec(text)?.[1];
  if (python !== undefined) {
    return {
      code: "packages-unsolvable",
      what: "a package needs another Python",
      got: request.python,
      expected: python,
      hint: "narrow `python` in the backend file",
    };
  }
  return {
    code: "packages-unsolvable",
    what: "no versions of the packages fit together",
    hint: "change `pins` or `constraints` in the backend file",
  };
}
