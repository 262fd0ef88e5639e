import { join, resolve } from "node:path";

import semver from "semver";

import { baseEnvironment } from "../host/environment.js";
import { defaultDataDir, gatherFacts } from "../host/facts.js";
import type { Host } from "../host/host.js";
import { LocalHost } from "../host/local.js";
import { readHostLock } from "../host/lock.js";
import { BerthError, messageOf } from "../lib/errors.js";
import { formatBytes } from "../lib/format.js";
import { readIndexAddress } from "../lock/index-address.js";
import { readProject } from "../lock/project.js";
import { supervisordPaths } from "../runtime/supervisord-configuration.js";
import { readBinFolder } from "../runtime/supervisord-control.js";
import type { HostFacts } from "../schema/facts.js";
import { findPulumi } from "./toolchain.js";
import { chooseStack, packageRoot, stackFileOf, type Workplace } from "./workplace.js";

/** One thing that was looked at. */
export interface Finding {
  readonly state: "good" | "note" | "bad";
  readonly subject: string;
  readonly found: string;
  /** The command that mends it. */
  readonly mend?: string;
}

const leastFreeBytes = 2_000_000_000;
const indexSeconds = 5;

export interface DoctorOptions {
  dataDir?: string;
  json?: boolean;
}

/** Looks at what this machine has and lacks for a stack; `dataDir` is where its runners live. */
async function examine(workplace: Workplace, named: string | undefined, dataDir?: string): Promise<Finding[]> {
  const { environment, root } = workplace;
  const host = new LocalHost("local", baseEnvironment(environment));
  const facts = await gatherFacts(host, undefined);
  const stack = await examineStack(workplace, named);
  const folder = resolve(root, dataDir ?? stack.dataDir ?? defaultDataDir(facts));
  return [
    stack.finding,
    { state: "note", subject: "data directory", found: folder },
    examineNode(process.versions.node),
    ...examinePython(facts),
    await examinePulumi(environment),
    ...(await examineSupervision(host, facts, folder)),
    await examineDisk(host, folder),
    await examineIndex(environment.PIP_INDEX_URL),
    await examineHostLock(host, folder),
    examineAccelerators(facts),
  ];
}

/** Prints what was found; fails when something has to be mended before Berth can work. */
export async function doctor(workplace: Workplace, named: string | undefined, options: DoctorOptions): Promise<void> {
  const findings = await examine(workplace, named, options.dataDir);
  if (options.json === true) workplace.print(JSON.stringify(findings, undefined, 2));
  else for (const finding of findings) workplace.print(formatFinding(finding));
  const bad = findings.filter(({ state }) => state === "bad");
  if (bad.length === 0) return;
  throw new BerthError("host-unsuitable", { what: `${bad.length} of ${findings.length} things have to be mended` });
}

export function formatFinding({ state, subject, found, mend }: Finding): string {
  const mark = { good: "ok  ", note: "note", bad: "BAD " }[state];
  const line = `${mark}  ${subject.padEnd(18)} ${found}`;
  return mend === undefined ? line : `${line}\n      ${" ".repeat(18)} -> ${mend}`;
}

/** The stack file, and the data directory of its first host. */
async function examineStack(
  workplace: Workplace,
  named: string | undefined,
): Promise<{ finding: Finding; dataDir?: string | undefined }> {
  const { root } = workplace;
  const subject = "stack file";
  try {
    const file = stackFileOf(root, await chooseStack(workplace, named));
    const { stack } = readProject(root, file, packageRoot);
    const [host] = Object.values(stack.hosts);
    return { finding: { state: "good", subject, found: file }, dataDir: host?.dataDir };
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    const state = error.code === "usage" ? "note" : "bad";
    return { finding: { state, subject, found: error.message } };
  }
}

function examineNode(version: string): Finding {
  const good = semver.gte(version, "20.0.0");
  const finding = { subject: "Node", found: version };
  return good ? { state: "good", ...finding } : { state: "bad", ...finding, mend: "install Node 20 or later" };
}

function examinePython({ os, python, pipx }: HostFacts): Finding[] {
  if (python === undefined) {
    const mend = os === "darwin" ? "brew install python" : "apt-get install python3 python3-venv";
    return [{ state: "bad", subject: "Python", found: "no Python 3.10 or later with venv on PATH", mend }];
  }
  return [
    { state: "good", subject: "Python", found: `${python.version} (${python.path})` },
    pipx === undefined
      ? { state: "note", subject: "pipx", found: "none; Berth installs one for itself, below the data directory" }
      : { state: "good", subject: "pipx", found: `${pipx.version} (${pipx.path})` },
  ];
}

async function examinePulumi(environment: Workplace["environment"]): Promise<Finding> {
  const found = await findPulumi({ environment, packageRoot, report: () => undefined });
  if (found !== undefined) return { state: "good", subject: "Pulumi CLI", found: found.detail };
  return {
    state: "note",
    subject: "Pulumi CLI",
    found: "none yet; it is obtained when it is needed",
    mend: 'eval "$(npx berth env)"',
  };
}

async function examineSupervision(host: Host, { initSystem, user }: HostFacts, dataDir: string): Promise<Finding[]> {
  if (initSystem === "systemd") return [{ state: "good", subject: "supervision", found: initSystem }];
  if (initSystem === "systemd-user") return [await examineLinger(host, user)];
  const paths = supervisordPaths(dataDir);
  const bin = await readBinFolder(host, paths);
  const found = "supervisord; no systemd runs here, so runners do not come back after a reboot by themselves";
  if (bin === undefined || (await host.status(paths.configuration)) === undefined) {
    return [{ state: "note", subject: "supervision", found }];
  }
  const line = `@reboot ${join(bin, "supervisord")} -c ${paths.configuration}`;
  return [{ state: "note", subject: "supervision", found, mend: `(crontab -l; echo '${line}') | crontab -` }];
}

/** systemd ends a user's own manager with the last session, unless the user lingers. */
async function examineLinger(host: Host, user: string): Promise<Finding> {
  const { stdout } = await host.run(["loginctl", "show-user", user, "--property=Linger", "--value"]);
  const finding = { subject: "supervision", found: "systemd-user" };
  if (stdout.trim() === "yes") return { state: "good", ...finding };
  const found = "systemd-user; runners end with the user's last session, because the user does not linger";
  return { state: "note", ...finding, found, mend: "loginctl enable-linger" };
}

async function examineDisk(host: Host, dataDir: string): Promise<Finding> {
  const free = await host.freeBytes(dataDir);
  const found = `${formatBytes(free)} free for ${dataDir}`;
  if (free >= leastFreeBytes) return { state: "good", subject: "disk", found };
  return {
    state: "bad",
    subject: "disk",
    found,
    mend: `free at least ${formatBytes(leastFreeBytes)}, or give the host another dataDir`,
  };
}

async function examineIndex(configured: string | undefined): Promise<Finding> {
  const subject = "package index";
  let where = "";
  try {
    const { address, headers } = readIndexAddress(configured);
    where = `${address}: `;
    const signal = AbortSignal.timeout(indexSeconds * 1000);
    const { status } = await fetch(`${address}/pip/`, { method: "HEAD", headers, signal });
    return { state: status < 400 ? "good" : "note", subject, found: `${address} answers ${status}` };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const mend = "name one that this machine reaches: `mirrors: { pip: https://... }` in the stack file";
    return { state: "note", subject, found: `${where}${messageOf(cause)}`, mend };
  }
}

async function examineHostLock(host: Host, dataDir: string): Promise<Finding> {
  const holder = await readHostLock(host, dataDir);
  if (holder === undefined) return { state: "good", subject: "host lock", found: "free" };
  return {
    state: "note",
    subject: "host lock",
    found: `held by ${holder.owner}, last sign of life ${holder.heartbeatAt}`,
  };
}

function examineAccelerators({ accelerators }: HostFacts): Finding {
  const found = accelerators.map(({ name, memoryBytes }) => `${name} ${formatBytes(memoryBytes)}`).join(", ");
  return { state: "note", subject: "accelerators", found: found === "" ? "none" : found };
}
