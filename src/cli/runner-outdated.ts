import { existsSync } from "node:fs";
import { join } from "node:path";

import { mirrorImage } from "../catalog/image-mirror.js";
import type { RunnerCatalogue } from "../catalog/runner-catalogue.js";
import { adviseHidden, describeHidden } from "../catalog/runner-hidden.js";
import { createOpenHost } from "../host/open.js";
import { createRegistryLogins, type FindRegistryLogin } from "../host/registry-login.js";
import { runBatch } from "../lib/batch.js";
import { BerthError } from "../lib/errors.js";
import { adviseCatalogue, adviseUpgrade, nameOf } from "../lock/outdated-advice.js";
import { askImageDigest, type ImageAnswer } from "../lock/image-digest.js";
import {
  reportRunner,
  runnersOfCatalogue,
  runnersOfLock,
  type PinnedRunner,
  type RunnerFinding,
  type RunnerReport,
} from "../lock/outdated-runners.js";
import { readProject, type Project } from "../lock/project.js";
import { readHiddenRunners, readRunners } from "../lock/runner-files.js";
import { createStackLogins } from "../lock/stack-login.js";
import type { LockFile } from "../schema/lock.js";
import type { outdatedFormats } from "./arguments.js";
import { findSecret } from "./lock.js";
import { readProjectLocks } from "./project-locks.js";
import { plainTable } from "./table.js";
import { chooseStack, packageRoot, stackFileOf, type Workplace } from "./workplace.js";

/** Options as commander gives them. */
export interface RunnerOutdatedOptions {
  stack?: string;
  offline?: boolean;
  format: (typeof outdatedFormats)[number];
}

/** What is printed of an image for programs. */
export interface OutdatedRow {
  /** The stack whose lock has it; left out for one of the catalogue. */
  readonly stack?: string;
  readonly image: string;
  readonly digest: string;
  readonly usedBy: readonly string[];
  readonly findings: readonly RunnerFinding[];
  /** Why nobody knows whether its tag has moved. */
  readonly untold?: string;
  /** What to do. */
  readonly upgrade: readonly string[];
}

/** Where images are asked for. */
interface Place {
  readonly stack?: string;
  readonly mirrors: Readonly<Record<string, string>> | undefined;
  readonly findLogin: FindRegistryLogin;
}

const mostAtOnce = 8;

/**
 * Tells which runner images of locks, and of the catalogue, are outdated, and notes which of Berth's the project's files
 * hide. Exit code 2 when some are, else 1 when a
 * registry did not tell.
 */
export async function printOutdated(workplace: Workplace, options: RunnerOutdatedOptions): Promise<number> {
  const { root } = workplace;
  const catalogue = readRunners(root, packageRoot);
  const rows: OutdatedRow[] = [];
  for (const { stack, lock } of await chooseLocks(workplace, options.stack)) {
    const project = readStack(workplace, stack);
    const pinned = runnersOfLock(lock, project?.stack);
    const reports = await reportAll(pinned, placeOf(workplace, stack, lock), catalogue, options);
    rows.push(...reports.map((report) => rowOf(report, adviseUpgrade(report, { name: stack, project }), stack)));
  }
  const place = { mirrors: undefined, findLogin: machineLogins(workplace) };
  const known = await reportAll(runnersOfCatalogue(catalogue), place, catalogue, options);
  rows.push(...known.map((report) => rowOf(report, adviseCatalogue(report))));
  workplace.print(options.format === "json" ? JSON.stringify(rows, undefined, 2) : formatOutdated(rows));
  if (options.offline === true) workplace.note("no registry was asked (--offline), so tags may have moved");
  for (const hidden of readHiddenRunners(root, packageRoot))
    workplace.note(`${describeHidden(hidden)}; to do: ${adviseHidden(hidden)}`);
  if (rows.some(({ findings }) => findings.length > 0)) return 2;
  return rows.some(({ untold }) => untold !== undefined) ? 1 : 0;
}

async function chooseLocks(workplace: Workplace, named: string | undefined) {
  const locks = await readProjectLocks(workplace.root);
  if (named === undefined) return locks;
  const stack = await chooseStack(workplace, named);
  const own = locks.filter((each) => each.stack === stack);
  if (own.length > 0) return own;
  const hint = `run \`berth lock ${stack}\``;
  throw new BerthError("lock-missing", { where: `stacks/${stack}.lock.yaml`, what: "the lock is missing", hint });
}

async function reportAll(
  pinned: readonly PinnedRunner[],
  place: Place,
  catalogue: RunnerCatalogue,
  { offline = false }: Pick<RunnerOutdatedOptions, "offline">,
): Promise<RunnerReport[]> {
  const answers = new Map<PinnedRunner, ImageAnswer>();
  await runBatch(offline ? [] : pinned, { atOnce: mostAtOnce }, async (image, signal) => {
    const reference = mirrorImage(image.reference, place.mirrors);
    answers.set(image, await askImageDigest(reference, { findLogin: place.findLogin, signal }));
  });
  return pinned.map((image) => reportRunner(image, answers.get(image), catalogue));
}

function placeOf(workplace: Workplace, stack: string, { placement }: LockFile): Place {
  const logins = Object.entries(placement.registryLogins ?? {}).map(
    ([registry, { username, password }]) => [registry, { username, password: { secret: password } }] as const,
  );
  const secret = (name: string) => findSecret(name, workplace, stack);
  const findLogin = createStackLogins(Object.fromEntries(logins), secret, machineLogins(workplace));
  return { stack, mirrors: placement.registries, findLogin };
}

function machineLogins({ environment, root }: Workplace): FindRegistryLogin {
  const openHost = createOpenHost({ environment, projectRoot: root });
  return createRegistryLogins(environment, openHost({ name: "this machine", connection: "local" }));
}

/** Undefined for a lock without a stack file. */
function readStack({ root }: Workplace, stack: string): Project | undefined {
  const file = stackFileOf(root, stack);
  return existsSync(join(root, file)) ? readProject(root, file, packageRoot, { stackName: stack }) : undefined;
}

function rowOf(report: RunnerReport, upgrade: readonly string[], stack?: string): OutdatedRow {
  const { reference, digest, users, findings, untold } = report;
  return {
    ...(stack === undefined ? {} : { stack }),
    ...{ image: reference, digest, usedBy: users.map(nameOf), findings },
    ...(untold === undefined ? {} : { untold }),
    upgrade,
  };
}

/** For people: those that are outdated, or of which nobody knows. */
export function formatOutdated(rows: readonly OutdatedRow[]): string {
  const telling = rows.filter(({ findings, untold }) => findings.length > 0 || untold !== undefined);
  const looked = rows.length === 1 ? "1 image was looked at" : `${rows.length} images were looked at`;
  if (telling.length === 0) return `no runner image is outdated; ${looked}`;
  const cells = telling.map((row) => {
    const whose = row.stack === undefined ? "catalogue" : `${row.stack}: ${row.usedBy.join(", ")}`;
    const texts = [
      ...row.findings.map(describeFinding),
      ...(row.untold === undefined ? [] : [`its registry did not tell: ${row.untold}`]),
    ];
    return [row.image, whose, texts.join("\n"), row.upgrade.join("\n")];
  });
  return `${plainTable(["IMAGE", "OF", "FOUND", "TO DO"], cells)}\n${looked}`;
}

function describeFinding(finding: RunnerFinding): string {
  switch (finding.kind) {
    case "moved":
      return `its tag has another digest now, by the ${finding.by}: ${finding.digest.slice(0, 19)}`;
    case "gone":
      return `the ${finding.from} has it no more`;
    case "deprecated":
      return "it is deprecated";
    case "polished":
      return "it was changed under its tag, and nobody tells whether before it was locked";
    case "newer":
      return `${nameOf(finding)} could have ${finding.reference}`;
  }
}
