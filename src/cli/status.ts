import { readEntry } from "../host/journal.js";
import { shown } from "../lib/shown.js";
import { describeUnsettled, type Updater } from "../lock/applied.js";
import { findStaleness } from "../lock/build.js";
import { lockPath, readLock } from "../lock/lock-file.js";
import { readProject } from "../lock/project.js";
import { desiredStack, type DesiredInstance } from "../planner/desired.js";
import { compareInstances } from "../planner/replicas.js";
import type { Contexts } from "../resources/context.js";
import type { CommonObserved } from "../resources/kind.js";
import { resourceKinds } from "../resources/kinds.js";
import type { InstanceObserved } from "../resources/instance.js";
import { openContexts } from "./contexts.js";
import { findLeftHosts, hostOf, type LeftHost } from "./host-state.js";
import { isSeen, observe, observeRecorded } from "./observed.js";
import { readState, type StackState, type StateResource } from "./state.js";
import { formatGateway, gatewayRows, type StatusGateway } from "./status-gateways.js";
import { formatMemoryStatus, memoryStatus, type MemoryStatus } from "./status-memory.js";
import { formatMetrics } from "./status-metrics.js";
import { plainTable } from "./table.js";
import { chooseStack, openPulumi, packageRoot, stackFileOf, type Workplace } from "./workplace.js";

/** One row: an instance that is wanted, or is there, or both. */
export interface StatusRow {
  readonly instance: string;
  readonly deployment?: string;
  /** The name under which its model is served. */
  readonly model?: string;
  /** Where the lock wants it, else where it is. */
  readonly host: string;
  /** Where it is, when the lock wants it elsewhere. */
  readonly deployedOn?: string;
  /** As `2 of 3`; undefined when hosts change in no order. */
  readonly wave?: string | undefined;
  /** Backend and version; undefined when the lock does not want it. */
  readonly desired: string | undefined;
  /** Backend and version; undefined when the state does not have it. */
  readonly deployed: string | undefined;
  readonly health: string;
  readonly endpoint: string;
  /** What it used when it was verified, beside what was estimated; undefined where nothing is known. */
  readonly memory?: MemoryStatus | undefined;
  /** What it has on other hosts. */
  readonly members?: readonly StatusMember[];
  /** With that of its members. */
  readonly drift: readonly string[];
}

/** What an instance has on another host. */
export interface StatusMember {
  readonly name: string;
  readonly host: string;
}

export interface Status {
  readonly stack: string;
  /** Why the lock does not hold for the stack file, if it does not. */
  readonly stale: string | undefined;
  readonly rows: readonly StatusRow[];
  /** The gateway that routes by model, on each of its hosts. */
  readonly gateways: readonly StatusGateway[];
  /** Drift of what instances stand on. */
  readonly otherDrift: readonly string[];
  /** Hosts that the next lock or update leaves. */
  readonly leftHosts: readonly LeftHost[];
  readonly pendingOperations: number;
  readonly updater: Updater;
}

/** Shows what is wanted beside what is there. Changes nothing. */
export async function status(
  workplace: Workplace,
  named: string | undefined,
  options: { json?: boolean; format?: "prometheus" },
): Promise<void> {
  const stack = await chooseStack(workplace, named);
  const { root } = workplace;
  const project = readProject(root, stackFileOf(root, stack), packageRoot, { stackName: stack });
  const path = lockPath(project.stackPath);
  const lock = await readLock(path, shown(root, path));
  const pulumi = await openPulumi(workplace);
  const state = await readState(pulumi, stack);
  const owner = `${pulumi.project}/${stack}`;
  const contexts = openContexts(workplace, new AbortController().signal);
  const desired = lock === undefined ? undefined : desiredStack(lock, root);
  const found: Status = {
    stack,
    stale: lock === undefined ? "there is no lock" : findStaleness(lock, project),
    rows: await instanceRows(desired?.instances ?? [], state, contexts, owner),
    gateways: await gatewayRows(desired?.modelGateways ?? [], state, contexts),
    otherDrift: await otherDrift(state, contexts),
    leftHosts:
      lock === undefined
        ? []
        : findLeftHosts(
            { inStack: Object.keys(project.stack.hosts), inLock: Object.keys(lock.placement.hosts) },
            state ?? { resources: [] },
          ),
    pendingOperations: state?.pendingOperations ?? 0,
    updater: state?.updater ?? { kind: "none" },
  };
  if (options.format === "prometheus") workplace.print(formatMetrics(found, new Date()));
  else workplace.print(options.json === true ? JSON.stringify(found, undefined, 2) : formatStatus(found));
}

async function instanceRows(
  desired: readonly DesiredInstance[],
  state: StackState | undefined,
  contexts: Contexts,
  owner: string,
): Promise<StatusRow[]> {
  const deployed = new Map(
    (state?.resources ?? [])
      .filter(({ kind }) => kind === "Instance")
      .map(({ outputs }) => [String(outputs.name), outputs]),
  );
  const members = await membersOf(state, contexts);
  const names = new Set([...desired.map(({ name }) => name), ...deployed.keys()]);
  return Promise.all(
    [...names].sort(compareInstances).map(async (name) => {
      const wanted = desired.find((instance) => instance.name === name);
      const outputs = deployed.get(name);
      const observed = outputs === undefined ? undefined : await observe(resourceKinds.Instance, outputs, contexts);
      const deployedOn = outputs === undefined ? undefined : hostOf(outputs);
      const own = members.filter((member) => member.instance === name);
      const drift = observed?.drift ?? (wanted === undefined ? [] : await findLeft(wanted, contexts, owner));
      return {
        instance: name,
        ...namesOf(wanted, outputs),
        host: wanted?.host.name ?? deployedOn ?? "",
        ...(wanted === undefined || deployedOn === undefined || deployedOn === wanted.host.name ? {} : { deployedOn }),
        ...(wanted?.rollout === undefined ? {} : { wave: `${wanted.rollout.wave} of ${wanted.rollout.waves}` }),
        desired: wanted === undefined ? undefined : `${wanted.release.backend} ${wanted.release.backendVersion}`,
        deployed: outputs === undefined ? undefined : `${String(outputs.backend)} ${String(outputs.backendVersion)}`,
        health: healthOf(observed),
        endpoint: isSeen(observed) ? observed.endpoint : "",
        memory: outputs === undefined ? undefined : memoryStatus(outputs, isSeen(observed) ? observed : {}),
        ...(own.length === 0 ? {} : { members: own.map((member) => ({ name: member.name, host: member.host })) }),
        drift: [...drift, ...own.flatMap((member) => member.drift)],
      };
    }),
  );
}

/** What instances have on other hosts, with what is wrong with it. */
async function membersOf(
  state: StackState | undefined,
  contexts: Contexts,
): Promise<(StatusMember & { readonly instance: string; readonly drift: readonly string[] })[]> {
  const recorded = (state?.resources ?? []).filter(({ kind }) => kind === resourceKinds.Subordinate.kind);
  return Promise.all(
    recorded.map(async ({ outputs }) => {
      const [name, host, instance] = [String(outputs.name), hostOf(outputs) ?? "", String(outputs.instance)];
      const { drift } = await observe(resourceKinds.Subordinate, outputs, contexts);
      return { name, host, instance, drift: drift.map((sentence) => `on ${host}: ${sentence}`) };
    }),
  );
}

function namesOf(
  wanted: DesiredInstance | undefined,
  outputs: StateResource["outputs"] | undefined,
): Pick<StatusRow, "deployment" | "model"> {
  const { deployment: deployed = "", servedModel = deployed } = outputs ?? {};
  const deployment = wanted?.placed.deployment ?? (deployed as string);
  return {
    deployment,
    model: wanted === undefined ? (servedModel as string) : (wanted.release.servedModel ?? deployment),
  };
}

function healthOf(observed: InstanceObserved | CommonObserved | undefined): string {
  if (observed === undefined) return "not deployed";
  return isSeen(observed) ? observed.health : "unknown";
}

/** What an interrupted run has left of an instance that the state has never had. */
async function findLeft({ name, host }: DesiredInstance, contexts: Contexts, owner: string): Promise<string[]> {
  const context = contexts.of(host, (text) => text);
  const { kind } = resourceKinds.Instance;
  const uses = resourceKinds.Instance.uses({ name, owner, host });
  const entry = await readEntry(context.host, host.dataDir, { owner, kind, name, uses });
  return entry === undefined ? [] : ["was left on the host by an interrupted run; `pulumi up` goes on with it"];
}

async function otherDrift(state: StackState | undefined, contexts: Contexts): Promise<string[]> {
  const drift: string[] = [];
  for (const { kind, outputs } of state?.resources ?? []) {
    // Told with their instances.
    if (kind === resourceKinds.Subordinate.kind) continue;
    const observed = await observeRecorded(kind, outputs, contexts);
    drift.push(...(observed?.drift ?? []).map((sentence) => `${kind} ${String(outputs.name)} ${sentence}`));
  }
  return drift;
}

/** The table for people. */
export function formatStatus(status: Status): string {
  const { stack, stale, rows, gateways, otherDrift: others, leftHosts, pendingOperations, updater } = status;
  const hasWaves = rows.some(({ wave }) => wave !== undefined);
  const hasMemory = rows.some(({ memory }) => memory?.basis !== undefined);
  const place = ["INSTANCE", "HOST", ...(hasWaves ? ["WAVE"] : [])];
  const state = ["DESIRED", "DEPLOYED", "HEALTH", "ENDPOINT", ...(hasMemory ? ["MEMORY"] : []), "DRIFT"];
  const table = plainTable(
    [...place, ...state],
    rows.map((row) => {
      const members = (row.members ?? []).map((member) => `\n  + ${member.host}`).join("");
      const host = `${row.host}${row.deployedOn === undefined ? "" : `, now on ${row.deployedOn}`}${members}`;
      const place = [row.instance, host, ...(hasWaves ? [row.wave ?? "-"] : [])];
      const drift = row.drift.length === 0 ? "none" : row.drift.join("\n");
      const memory = hasMemory ? [formatMemoryStatus(row.memory)] : [];
      return [...place, row.desired ?? "-", row.deployed ?? "-", row.health, row.endpoint, ...memory, drift];
    }),
  );
  const lines = [rows.length === 0 ? `stack ${stack}: no instances` : table];
  lines.push(...gateways.map(formatGateway));
  lines.push(...leftHosts.map((host) => describeLeft(host, stack)));
  lines.push(...others.map((sentence) => `drift: ${sentence}`));
  if (stale !== undefined) lines.push(`lock: stale, ${stale}`);
  const unsettled = describeUnsettled({ pendingOperations, updater });
  if (unsettled !== undefined) lines.push(`state: ${unsettled}`);
  return lines.join("\n");
}

function describeLeft({ name, leftBy, instances }: LeftHost, stack: string): string {
  const there = instances.length === 0 ? "what is there" : instances.join(", ");
  const up = `\`pulumi up --stack ${stack}\` takes ${there} away`;
  return leftBy === "stack file"
    ? `host ${name}: the stack file has it no more; after \`berth lock ${stack}\`, ${up}`
    : `host ${name}: the lock has it no more; ${up}; when the host is gone for good, run \`berth host forget ${name} ${stack}\` first`;
}
