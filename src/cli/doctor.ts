import { createOpenHost } from "../host/open.js";
import { systemClock } from "../lib/clock.js";
import { BerthError } from "../lib/errors.js";
import { readProject } from "../lock/project.js";
import { readDeclaredDevices } from "../lock/runner-files.js";
import { connectionOf } from "../schema/hosts.js";
import { formatFinding, type Finding } from "./examinations/finding.js";
import { examineHost, type ExaminedEntry } from "./examinations/host.js";
import { examineLocks } from "./examinations/locks.js";
import { examineMachine } from "./examinations/machine.js";
import { examineRunners } from "./examinations/runners.js";
import { chooseStack, packageRoot, stackFileOf, type Workplace } from "./workplace.js";

export interface DoctorOptions {
  dataDir?: string;
  host?: readonly string[];
  json?: boolean;
}

/** Of a host when it has a name, else of this machine. */
type HostFinding = Finding & { readonly host?: string };

/**
 * Prints what this machine and a stack's hosts have and lack, all hosts at once; fails when something has to be mended
 * before Berth can work. Changes nothing.
 */
export async function doctor(workplace: Workplace, named: string | undefined, options: DoctorOptions): Promise<void> {
  const { finding, hosts } = await readHosts(workplace, named, options);
  const openHost = createOpenHost({ environment: workplace.environment, projectRoot: workplace.root });
  const declared = readDeclaredDevices(workplace.root, packageRoot);
  const [machine, ...examined] = await Promise.all([
    examineMachine(workplace),
    ...Object.entries(hosts).map(async ([name, entry]): Promise<HostFinding[]> => {
      const host = openHost({ name, ...connectionOf(entry) });
      const findings = await examineHost({ host, entry, root: workplace.root, declared, clock: systemClock });
      return findings.map((each) => ({ host: name, ...each }));
    }),
  ]);
  const findings: HostFinding[] = [
    finding,
    ...(await examineLocks(workplace.root, systemClock.now())),
    ...examineRunners(workplace.root, packageRoot),
    ...machine,
    ...examined.flat(),
  ];
  workplace.print(options.json === true ? JSON.stringify(findings, undefined, 2) : format(findings));
  const bad = findings.filter(({ state }) => state === "bad");
  if (bad.length === 0) return;
  throw new BerthError("host-unsuitable", { what: `${bad.length} of ${findings.length} things have to be mended` });
}

/** Findings in lines, those of each host below its name. */
function format(findings: readonly HostFinding[]): string {
  let last: string | undefined;
  return findings
    .flatMap((finding) => {
      const head = finding.host === last || finding.host === undefined ? [] : ["", `host ${finding.host}`];
      last = finding.host;
      return [...head, formatFinding(finding)];
    })
    .join("\n");
}

/** The stack file and the hosts that are meant; without a stack, this machine alone. */
async function readHosts(
  workplace: Workplace,
  named: string | undefined,
  { host: wanted = [], dataDir }: DoctorOptions,
): Promise<{ finding: Finding; hosts: Record<string, ExaminedEntry> }> {
  const subject = "stack file";
  const own = dataDir === undefined ? {} : { dataDir };
  try {
    const stackName = await chooseStack(workplace, named);
    const file = stackFileOf(workplace.root, stackName);
    const { stack } = readProject(workplace.root, file, packageRoot, { stackName });
    const chosen = chooseHosts(stack.hosts, wanted).map(([name, entry]) => [name, { ...entry, ...own }] as const);
    return { finding: { state: "good", subject, found: file }, hosts: Object.fromEntries(chosen) };
  } catch (error) {
    if (!(error instanceof BerthError) || wanted.length > 0) throw error;
    const state = error.code === "usage" ? "note" : "bad";
    const finding = { state, subject, found: error.message } as const;
    return { finding, hosts: { local: { connection: "local", ...own } } };
  }
}

function chooseHosts<T>(hosts: Readonly<Record<string, T>>, wanted: readonly string[]): [string, T][] {
  const unknown = wanted.find((name) => !Object.hasOwn(hosts, name));
  if (unknown !== undefined) {
    throw new BerthError("usage", {
      what: "the stack has no such host",
      got: unknown,
      expected: Object.keys(hosts).sort().join(", "),
    });
  }
  return Object.entries(hosts).filter(([name]) => wanted.length === 0 || wanted.includes(name));
}
