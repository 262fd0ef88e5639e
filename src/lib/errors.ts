/**
 * Every code an error of Berth can carry, with what it means. The codes are stable: scripts may match them, and
 * `docs/reference/errors.md` is generated from this table.
 */
export const errorCodes = {
  "file-not-found": "A file that the stack, a flag or the catalogue names does not exist.",
  "file-invalid": "A YAML or JSON file does not have the form its schema asks for.",
  "file-too-large": "A file is larger than Berth reads.",
  "stack-inconsistent": "The stack file is well-formed but contradicts itself or asks for something impossible.",
  "backend-unknown": "No backend file, built-in or of the project, has this backend or version.",
  "command-invalid": "A command template cannot be split into words, or names an unknown placeholder.",
  "lock-missing": "The lock file is missing and this run may not write it.",
  "lock-edited": "The lock is not what was solved: somebody has changed it.",
  "lock-stale": "The lock file does not match the stack and this run may not write it.",
  "artifact-gone": "Something that a release pins can no longer be had.",
  "artifact-moved": "A tag or revision means something else than when it was locked.",
  "artifact-unknown": "Nobody told whether something that a release pins can still be had.",
  "gate-failed": "A release has not shown what it has to before it may go on.",
  "evidence-foreign": "Evidence is of something else than what would be promoted.",
  "evidence-expired": "Evidence is older than the gates allow.",
  "promotion-conflict": "Somebody else changed the lock in the meantime.",
  "promotion-refused": "The environments file does not allow this promotion.",
  "rule-broken": "The stack would have what its environment does not allow.",
  offline: "Something is not known, and this run may not look it up.",
  "lock-incompatible": "The lock or state was written by a version of Berth that this one does not know.",
  "promotion-invalid": "A record in `promotions` cannot be read or written, or was changed after it was written.",
  "no-earlier-bundle": "An environment has no earlier bundle to roll back to that was applied and healthy there.",
  "evidence-invalid": "A file of evidence is none, or was changed after it was written.",
  "does-not-fit": "A replica has no place: no host has the memory, the devices or the labels that it needs.",
  "index-unreachable": "A package index did not answer or does not have the package.",
  "packages-unsolvable": "No set of Python packages fits what a backend version asks for.",
  "secret-missing": "A secret that the stack names is found nowhere.",
  "host-unreachable": "The host does not answer, or the connection to it was lost.",
  "host-unsuitable": "The host lacks something that the stack needs.",
  "host-key-unknown": "The host's key is not among those that ssh knows, so nothing tells that it is the right host.",
  "host-key-mismatch": "The host's key is not the one that ssh knows: perhaps it is another host.",
  "host-login-refused": "The host did not accept the login.",
  "host-sudo-refused": "The host's sudo does not make the login root without a question.",
  "host-busy": "Another operation holds the lock of the host, or of the bundle.",
  "already-claimed": "Another instance on the host has the port, the device, or too much of the device's memory.",
  "adoption-refused": "A runner is on the host that the state does not know, and `adopt: never` leaves it alone.",
  "host-foreign": "Something on the host belongs to somebody else.",
  "command-failed": "A command on the host failed.",
  "download-failed": "A download broke off or was refused.",
  "docker-unreachable": "The Docker Engine of a host does not answer, or may not be used by the login.",
  "docker-refused": "The Docker Engine of a host did not do what it was asked.",
  "image-build-failed": "A container image could not be built.",
  "image-unavailable": "A registry does not have a container image, does not give it, or did not send all of it.",
  "model-unavailable": "A repository of models cannot be read, or does not hold a model that Berth can serve.",
  "checksum-mismatch": "What was downloaded or found is not what is pinned.",
  "signature-invalid": "What must be signed is not, or not by whom it must be, or it is not what was signed.",
  "disk-full": "The host's disk has too little room.",
  "install-failed": "A backend version could not be installed.",
  "port-in-use": "Another process listens on a port that the lock gives to a runner or to a gateway.",
  "runner-failed": "The runner ended, or was not healthy before its deadline.",
  "request-failed": "A model or its gateway did not answer a request, or refused it.",
  "rollout-stopped": "An instance was not changed, because another that changes before it failed.",
  "engine-gone": "The Pulumi engine that asked for the operation is gone; the operation stopped at a journal step.",
  interrupted: "Somebody stopped the command; what had begun was taken back, or goes on with the next run.",
  "state-locked": "The Pulumi state is locked by a process that is alive.",
  "toolchain-missing": "The Pulumi CLI could not be obtained.",
  "plugin-missing": "A Pulumi package or plugin that the stack's commands, networks or volumes need is not there.",
  "pulumi-failed": "A Pulumi command failed.",
  usage: "A command line or an argument is wrong.",
} as const;

export type ErrorCode = keyof typeof errorCodes;

export interface ErrorParts {
  /** What went wrong, one sentence without a full stop. */
  what: string;
  /** Where: `file:line:column`, a host, a path. Put first in the message. */
  where?: string;
  got?: string;
  expected?: string;
  /** What to do, an imperative sentence; a command where one exists. */
  hint?: string;
  /** Longer material, such as the last lines of a log. Redact it before it gets here. */
  detail?: string;
  cause?: unknown;
}

/**
 * The one error class for everything a user can cause or mend. Its message says what, where, got and expected, and
 * what to do; it has no stack trace, because the message is for the user. Any other error class is a bug in Berth.
 */
export class BerthError extends Error {
  readonly code: ErrorCode;
  readonly parts: ErrorParts;

  constructor(code: ErrorCode, parts: ErrorParts) {
    super(describe(parts), parts.cause === undefined ? undefined : { cause: parts.cause });
    this.name = "BerthError";
    this.code = code;
    this.parts = parts;
    this.stack = `${this.message} (${code})`;
  }

  /** The same error with each text changed, such as redacted. Without its cause, which may hold the texts too. */
  mapTexts(change: (text: string) => string): BerthError {
    const { what, cause: _, ...others } = this.parts;
    const changed = Object.entries(others).map(([key, text]) => [key, change(text)] as const);
    return new BerthError(this.code, { what: change(what), ...Object.fromEntries(changed) });
  }

  override toString(): string {
    return `${this.message} (${this.code})`;
  }
}

function describe({ what, where, got, expected, hint, detail }: ErrorParts): string {
  const lines = [where === undefined ? what : `${where}: ${what}`];
  if (got !== undefined) lines.push(`  got: ${got}`);
  if (expected !== undefined) lines.push(`  expected: ${expected}`);
  if (hint !== undefined) lines.push(`  to do: ${hint}`);
  if (detail !== undefined && detail !== "") lines.push(indent(detail));
  return lines.join("\n");
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => `  | ${line}`)
    .join("\n");
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node system error such as `ENOENT`, or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
