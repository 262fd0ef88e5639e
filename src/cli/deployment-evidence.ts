import type { ChosenGates } from "../health/gate-choice.js";
import { judgePerformance, measurePerformance } from "../health/performance.js";
import { runSmoke } from "../health/smoke.js";
import type { Clock } from "../lib/clock.js";
import { formatSeconds } from "../lib/format.js";
import type { Applied } from "../lock/applied.js";
import { acceleratorNames } from "../planner/accelerator-names.js";
import type { DesiredInstance } from "../planner/desired.js";
import type { Contexts } from "../resources/context.js";
import type { DeploymentEvidence, PerformanceResult, SmokeResult, VerifyResult } from "../schema/evidence.js";
import type { LockedDeployment, Placement } from "../schema/lock.js";
import type { LiveReplica, ReplicaSight } from "./live-replica.js";

export interface EvidenceEdges {
  readonly contexts: Contexts;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** A text that no run before had. */
  readonly salt: string;
  /** Told before what takes its time. */
  readonly note: (text: string) => void;
}

/** One deployment of a lock, and what is asked of it. */
export interface DeploymentProblem {
  readonly release: LockedDeployment;
  readonly instances: readonly DesiredInstance[];
  readonly hosts: Placement["hosts"];
  readonly applied: Applied;
  readonly verify: VerifyResult[];
  readonly gates: ChosenGates;
}

type Edges = EvidenceEdges & { readonly sight: ReplicaSight };

/** What was found, and why it may not go on. */
interface Found<Result> {
  readonly results: Result[];
  readonly failed: string[];
}

/** Looks at a deployment, and asks it what its gates ask. What fails is told, and is no error. */
export async function lookAtDeployment(problem: DeploymentProblem, edges: Edges): Promise<DeploymentEvidence> {
  const { release, instances, hosts, applied, verify, gates } = problem;
  const replicas = await Promise.all(instances.map((instance) => edges.sight.look(instance)));
  const problems = replicas.flatMap(({ name, problems: own }) => own.map((sentence) => `${name}: ${sentence}`));
  const healthy = replicas.length > 0 && problems.length === 0;
  const ages = replicas.map(({ soakSeconds }) => soakSeconds);
  const soakSeconds = ages.length === 0 || ages.includes(undefined) ? undefined : Math.min(...ages.map(Number));
  const isAsked = applied.applied && healthy;
  const smoke = isAsked ? await smokeAll(replicas, gates, edges) : nothing;
  const performance = isAsked ? await measureAll(replicas, gates, edges) : nothing;
  return {
    bundle: release.id,
    applied: applied.applied,
    healthy,
    ...(soakSeconds === undefined ? {} : { soakSeconds }),
    accelerators: acceleratorNames(
      instances.map(({ placed }) => placed),
      hosts,
    ),
    verify,
    smoke: smoke.results,
    performance: performance.results,
    failed: [
      ...(applied.applied ? [] : applied.reasons.map((reason) => `not applied: ${reason}`)),
      ...[...new Set(problems)].map((sentence) => `not healthy: ${sentence}`),
      ...soakFailures(gates, soakSeconds),
      ...(gates.verify
        ? verify.filter(({ passed }) => !passed).map(({ command }) => `verify: ${command} has not passed for what runs`)
        : []),
      ...smoke.failed,
      ...performance.failed,
    ],
  };
}

const nothing: Found<never> = { results: [], failed: [] };

function soakFailures({ soakSeconds: asked }: ChosenGates, seconds: number | undefined): string[] {
  if (asked === undefined || (seconds !== undefined && seconds >= asked)) return [];
  if (seconds === undefined)
    return [`soak: how long it has been running is not known, ${formatSeconds(asked)} are asked`];
  const missing = formatSeconds(asked - seconds);
  return [`soak: running for ${formatSeconds(seconds)} of ${formatSeconds(asked)}, ${missing} are missing`];
}

async function smokeAll(
  replicas: readonly LiveReplica[],
  gates: ChosenGates,
  edges: Edges,
): Promise<Found<SmokeResult>> {
  const found: SmokeResult[] = [];
  for (const { name, asked } of gates.smoke.length === 0 ? [] : replicas) {
    if (asked === undefined) continue;
    edges.note(`${name}: ${gates.smoke.length} smoke requests`);
    const { target, send, redact } = asked;
    const results = await runSmoke(target, gates.smoke, { send, redact, signal: edges.signal });
    found.push(...results.map((result) => ({ instance: name, ...result })));
  }
  const failed = found.filter(({ passed }) => !passed);
  return {
    results: found,
    failed: failed.map(({ instance, what, got }) => `smoke: ${instance}: ${what}: got ${got}`),
  };
}

/** One replica after the other: they may share a host. */
async function measureAll(
  replicas: readonly LiveReplica[],
  { performance: gate }: ChosenGates,
  edges: Edges,
): Promise<Found<PerformanceResult>> {
  if (gate === undefined) return nothing;
  const results: PerformanceResult[] = [];
  const failed: string[] = [];
  for (const { name, asked } of replicas) {
    if (asked === undefined) continue;
    edges.note(`${name}: ${gate.requests} requests, ${gate.parallel} at a time`);
    const measured = await measurePerformance(asked.target, gate, { ...edges, ...asked });
    const sentences = judgePerformance(gate, measured, asked.target.category);
    const { reason: _, ...figures } = measured;
    results.push({ instance: name, passed: sentences.length === 0, ...figures });
    failed.push(...sentences.map((sentence) => `performance: ${name}: ${sentence}`));
  }
  return { results, failed };
}
