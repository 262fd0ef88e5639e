import semver from "semver";

import { messageOf } from "../../lib/errors.js";
import { readIndexAddress } from "../../lock/index-address.js";
import { findPulumi } from "../toolchain.js";
import { packageRoot, type Workplace } from "../workplace.js";
import type { Finding } from "./finding.js";

const indexSeconds = 5;

/** What the machine that Berth runs on has and lacks, whatever hosts there are. */
export async function examineMachine({ environment }: Workplace): Promise<Finding[]> {
  return [
    judgeNode(process.versions.node),
    await examinePulumi(environment),
    await examineIndex(environment.PIP_INDEX_URL),
  ];
}

export function judgeNode(version: string): Finding {
  const finding = { subject: "Node", found: version };
  if (semver.gte(version, "20.0.0")) return { state: "good", ...finding };
  return { state: "bad", ...finding, mend: "install Node 20 or later" };
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
