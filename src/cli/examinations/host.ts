import { join, resolve } from "node:path";

import { findDockerInfo } from "../../host/docker-info.js";
import { defaultDataDir, gatherHost, type HostSighting } from "../../host/facts.js";
import type { Host } from "../../host/host.js";
import { readHostLock } from "../../host/lock.js";
import { findForeign } from "../../host/own-folder.js";
import { surveySshd } from "../../host/sshd-survey.js";
import { surveyHost, type HostSurvey } from "../../host/survey.js";
import type { Clock } from "../../lib/clock.js";
import { withinSeconds } from "../../lib/deadline.js";
import { lookAtDocker } from "../../runtime/docker-sight.js";
import { supervisordPaths } from "../../runtime/supervisord-configuration.js";
import { readBinFolder } from "../../runtime/supervisord-control.js";
import type { DeclaredType } from "../../schema/declared-devices.js";
import type { HostWarning } from "../../schema/facts.js";
import type { HostEntry } from "../../schema/hosts.js";
import { judgeAccelerators } from "./accelerators.js";
import { judgeClock } from "./clock.js";
import { judgeContainerNeeds } from "./container-needs.js";
import { judgeContainers } from "./containers.js";
import type { Finding } from "./finding.js";
import { judgeFolder } from "./folder.js";
import { judgeGateway } from "./gateway.js";
import { judgeHostLock } from "./host-lock.js";
import { judgePython } from "./python.js";
import { judgeFailure, judgeLost, judgeReached } from "./reach.js";
import { judgeSshd } from "./sshd.js";
import { judgeSupervision } from "./supervision.js";
import { judgeTools } from "./tools.js";

/** All that is asked of one host, a login that is tried again and tools that hang included, takes less. */
const hostSeconds = 120;

export type ExaminedEntry = Pick<HostEntry, "connection" | "ssh" | "runtime" | "gateway" | "dataDir">;

export interface HostExamination {
  readonly host: Host;
  readonly entry: ExaminedEntry;
  /** Where relative data directories begin. */
  readonly root: string;
  /** Types of devices that Berth's own code does not know. */
  readonly declared?: readonly DeclaredType[];
  readonly clock: Clock;
}

/** Looks at one host and changes nothing on it. What fails is a finding, and the rest is looked at all the same. */
export async function examineHost(examination: HostExamination): Promise<Finding[]> {
  try {
    return await withinSeconds(hostSeconds, (signal) => examine(examination, signal));
  } catch (error) {
    return [judgeLost(error)];
  }
}

async function examine(examination: HostExamination, signal: AbortSignal): Promise<Finding[]> {
  const { host, entry, root, clock } = examination;
  // Whoever the login is on the host decides where its data directory is.
  const { stdout } = await host.run(["sh", "-c", 'id -un; printf %s "$HOME"'], { signal });
  const [user = "", home = "/"] = stdout.split("\n");
  const dataDir = entry.dataDir === undefined ? defaultDataDir({ user, home }) : resolve(root, entry.dataDir);
  const survey = await surveyHost(host, dataDir, { clock, signal });
  const attempt = (subject: string, action: () => Promise<Finding[]>) =>
    action().catch((error: unknown) => [judgeFailure(subject, error)]);
  const [system, folder, lock] = await Promise.all([
    attempt("system", () => examineSystem(examination, survey, dataDir, signal)),
    attempt("data directory", () => examineFolder(host, survey, dataDir)),
    attempt("host lock", async () => [judgeHostLock(await readHostLock(host, dataDir))]),
  ]);
  const reached = [...judgeReached(entry, user), judgeClock(survey.clockOffsetSeconds)];
  return [...reached, ...judgeTools(survey, entry.connection), ...system, ...folder, ...lock];
}

/** All that the host's facts tell of. */
async function examineSystem(
  { host, entry, declared }: HostExamination,
  survey: HostSurvey,
  dataDir: string,
  signal: AbortSignal,
): Promise<Finding[]> {
  const { facts, warnings } = await gatherHost(host, { dataDir, signal, lookAtDocker, declared });
  const about = (subject: HostWarning["subject"]) =>
    warnings.filter((warning) => warning.subject === subject).map(({ text }) => text);
  return [
    ...judgePython(facts),
    ...judgeSshd(await surveySshd(host, facts.python?.path, signal)),
    ...(await examineSupervision(host, entry, survey, facts, dataDir)),
    ...judgeGateway(entry.gateway, facts),
    ...judgeContainers({ engine: facts.containerEngine, warnings: about("containerEngine"), survey }),
    ...judgeContainerNeeds({ facts, ...(await findEngineNeeds(host, facts, signal)) }),
    ...judgeAccelerators({ accelerators: facts.accelerators, warnings: about("accelerators"), survey }),
  ];
}

async function findEngineNeeds(host: Host, { containerEngine }: HostSighting["facts"], signal: AbortSignal) {
  const info = containerEngine?.engine === "docker" ? await findDockerInfo(host, signal) : undefined;
  // Another user may not look into the engine's folder; then the disk is not told of.
  const freeBytes = info === undefined ? undefined : await host.freeBytes(info.root).catch(() => undefined);
  return { info, freeBytes };
}

async function examineSupervision(
  host: Host,
  { runtime }: ExaminedEntry,
  survey: HostSurvey,
  { initSystem }: HostSighting["facts"],
  dataDir: string,
): Promise<Finding[]> {
  const paths = supervisordPaths(dataDir);
  const bin = await readBinFolder(host, paths);
  const isConfigured = bin !== undefined && (await host.status(paths.configuration)) !== undefined;
  const supervisord = isConfigured ? `${join(bin, "supervisord")} -c ${paths.configuration}` : undefined;
  return judgeSupervision({ survey, initSystem, runtime, supervisord });
}

async function examineFolder(host: Host, survey: HostSurvey, dataDir: string): Promise<Finding[]> {
  const exists = (await host.status(dataDir)) !== undefined;
  const foreign = exists && survey.nearest.readable ? await findForeign(host, dataDir) : [];
  return judgeFolder({ dataDir, survey, exists, foreign, freeBytes: await host.freeBytes(dataDir) });
}
