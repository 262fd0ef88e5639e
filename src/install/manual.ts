import { posix } from "node:path";

import type { FileStatus, Host } from "../host/host.js";
import { targetStatus } from "../host/target.js";
import { BerthError, systemCode } from "../lib/errors.js";

/** An executable as it was when it was adopted. It is an administrator's: Berth never writes or deletes it. */
export interface AdoptedExecutable {
  /** Where it was found, under the name `<backend>_<version>`. */
  readonly path: string;
  /** Of the file, or of the one that the link leads to. */
  readonly sha256: string;
  readonly sizeBytes: number;
  /** When the file, and the link before it, changed last: compared, not read. */
  readonly changedAt: string;
}

export interface ManualContext {
  readonly host: Host;
  readonly signal?: AbortSignal | undefined;
}

export interface ManualExecutable {
  readonly path: string;
  /** What it must have. */
  readonly sha256?: string | undefined;
}

const shownNames = 5;

/**
 * Takes an executable as it stands in the bin directory, a file or a link to one. Throws `file-not-found`,
 * `host-unsuitable` when it is no file that can be executed, and `checksum-mismatch`.
 */
export async function adoptExecutable(
  context: ManualContext,
  { path, sha256 }: ManualExecutable,
): Promise<AdoptedExecutable> {
  const { host } = context;
  const found = await look(context, path).catch((error: unknown) => {
    throw systemCode(error) === "EACCES" ? notReadable(host, path) : error;
  });
  if (sha256 === undefined || found.sha256 === sha256) return found;
  throw new BerthError("checksum-mismatch", {
    where: `host ${host.name}: ${path}`,
    what: "the executable is not the one that is pinned",
    got: `sha256 ${found.sha256} (${found.sizeBytes} bytes)`,
    expected: `sha256 ${sha256}`,
    hint: "put the right file there, or correct `install.manual.sha256` in the backend file",
  });
}

async function look({ host, signal }: ManualContext, path: string): Promise<AdoptedExecutable> {
  const status = await executableStatus(host, path);
  if (status === undefined) throw await notThere(host, path);
  if (!isExecutable(status)) throw notExecutable(host, path, status);
  const { size, changedAt } = status;
  return { path, sha256: await host.sha256(path, signal), sizeBytes: size, changedAt };
}

/** Status of the file that counts. Another link to another file is a change even when both files are of one time. */
async function executableStatus(host: Host, path: string): Promise<FileStatus | undefined> {
  const [own, target] = [await host.status(path), await targetStatus(host, path)];
  if (own?.kind !== "link" || target === undefined) return target;
  return { ...target, changedAt: `${own.changedAt} ${target.changedAt}` };
}

/**
 * How an executable differs from what was adopted, one sentence each; none when all is well. As in manifests, a file
 * with the size and the status-change time that it had is not read again.
 */
export async function manualDrift({ host, signal }: ManualContext, adopted: AdoptedExecutable): Promise<string[]> {
  const { path, sha256, sizeBytes, changedAt } = adopted;
  const status = await executableStatus(host, path);
  if (status === undefined) {
    return [(await host.status(path)) === undefined ? `${path} is missing` : `${path} is no file and leads to none`];
  }
  const drift = isExecutable(status) ? [] : [`${path} is not executable: it has mode ${mode(status)}`];
  if (status.size !== sizeBytes) return [...drift, `${path} has ${status.size} bytes, expected ${sizeBytes}`];
  if (status.changedAt === changedAt || (await host.sha256(path, signal)) === sha256) return drift;
  return [...drift, `${path} was changed`];
}

function isExecutable({ mode }: FileStatus): boolean {
  return (mode & 0o111) !== 0;
}

function mode(status: FileStatus): string {
  return status.mode.toString(8).padStart(4, "0");
}

/** Tells what is there instead: most often the name is not quite the right one. */
async function notThere(host: Host, path: string): Promise<BerthError> {
  const where = `host ${host.name}: ${path}`;
  const [folder, name] = [posix.dirname(path), posix.basename(path)];
  const status = await host.status(path);
  const hint = `put the executable there, or a link to it: \`ln -s /path/to/executable ${path}\``;
  if (status?.kind === "link") {
    const target = (await host.readLink(path)) ?? "nothing";
    return new BerthError("file-not-found", {
      where,
      what: "the link leads to no file",
      got: `a link to ${target}`,
      expected: "a link to the executable",
      hint,
    });
  }
  if (status !== undefined) {
    const got = status.kind === "directory" ? "a folder" : "something that is no file";
    return new BerthError("host-unsuitable", { where, what: "this is no executable", got, expected: "a file", hint });
  }
  const backend = name.slice(0, name.indexOf("_"));
  const others = (await host.list(folder)).filter((each) => each.toLowerCase().startsWith(backend.toLowerCase()));
  const shown = others.slice(0, shownNames).join(", ");
  return new BerthError("file-not-found", {
    where,
    what: "the executable is not in the bin directory",
    got: others.length === 0 ? `nothing of ${backend} in ${folder}` : `in ${folder}: ${shown}`,
    expected: `${name}, by the rule <backend>_<version>`,
    hint,
  });
}

function notExecutable(host: Host, path: string, status: FileStatus): BerthError {
  return new BerthError("host-unsuitable", {
    where: `host ${host.name}: ${path}`,
    what: "the file has no executable bit",
    got: `mode ${mode(status)}`,
    expected: "a mode such as 0755",
    hint: `run \`chmod +x ${path}\` on the host`,
  });
}

function notReadable(host: Host, path: string): BerthError {
  return new BerthError("host-unsuitable", {
    where: `host ${host.name}: ${path}`,
    what: "Berth's user cannot read the executable",
    got: "permission denied",
    expected: "a file that can be read, so that its SHA-256 can be told",
    hint: `run \`chmod a+rx ${path}\` on the host, and see that its folders can be entered`,
  });
}
