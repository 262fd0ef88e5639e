import { chooseGates, findUnknown } from "../health/gate-choice.js";
import { digest } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { findApplied } from "../lock/applied.js";
import { findVerified } from "../lock/verified.js";
import { desiredExtras } from "../planner/desired-commands.js";
import { desiredStack } from "../planner/desired.js";
import { sealEvidence, type DeploymentEvidence, type Evidence } from "../schema/evidence.js";
import type { Gates } from "../schema/gates.js";
import type { LockFile } from "../schema/lock.js";
import { lookAtDeployment, type EvidenceEdges } from "./deployment-evidence.js";
import { ReplicaSight } from "./live-replica.js";
import type { StackState } from "./state.js";

/** What evidence is gathered of. */
export interface EvidenceProblem {
  /** The stack. */
  readonly environment: string;
  readonly lock: LockFile;
  /** The project's folder, where relative data directories begin. */
  readonly root: string;
  /** Whose state it is, as project/stack. */
  readonly owner: string;
  /** What Pulumi has of the stack, secrets in plain; undefined when it was never brought up. */
  readonly state: StackState | undefined;
  readonly gates: Gates;
  /** These deployments alone. Default: all of the lock. */
  readonly only?: readonly string[] | undefined;
  /** Commit of the project that has this lock. */
  readonly commit?: string | undefined;
}

/**
 * Looks whether the bundles of a lock are applied and healthy, and puts them to an environment's gates. What fails is
 * told in the evidence: a deployment may go on when its `failed` is empty. Changes nothing; smoke and performance
 * requests are sent, to deployments that are applied and healthy alone.
 *
 * @throws BerthError `usage` for deployments that the lock does not have; `stack-inconsistent` for such gates
 */
export async function gatherEvidence(problem: EvidenceProblem, edges: EvidenceEdges): Promise<Evidence> {
  const { environment, lock, root, owner, state, gates, commit } = problem;
  const { contexts, clock, signal } = edges;
  const known = Object.keys(lock.release).sort();
  const names = problem.only === undefined ? known : assertKnown(problem.only, known, environment);
  assertMeant(gates, known, environment);
  const desired = desiredStack(lock, root);
  const applied = findApplied({ deployments: names, desired, state, owner });
  const { verifications } = desiredExtras(lock);
  const sight = new ReplicaSight(contexts, state, signal);
  const deployments: Record<string, DeploymentEvidence> = {};
  for (const name of names) {
    const release = lock.release[name];
    if (release === undefined) continue;
    const instances = desired.instances.filter(({ placed }) => placed.deployment === name);
    const own = verifications.filter(({ instance }) => instances.some((each) => each.name === instance));
    deployments[name] = await lookAtDeployment(
      {
        release,
        instances,
        hosts: lock.placement.hosts,
        applied: applied[name] ?? { applied: false, reasons: [] },
        verify: findVerified(own, state?.commands ?? [], state),
        gates: chooseGates(gates, name, release),
      },
      { ...edges, sight },
    );
  }
  return sealEvidence({
    ...{ evidenceVersion: 1, environment, lock: lock.id, gates: digest(gates), at: clock.now().toISOString() },
    ...(commit === undefined ? {} : { commit }),
    deployments,
  });
}

/** Whether all that was looked at may go on. */
export function hasPassed({ deployments }: Pick<Evidence, "deployments">): boolean {
  return Object.values(deployments).every(({ failed }) => failed.length === 0);
}

function assertKnown(only: readonly string[], known: readonly string[], environment: string): string[] {
  const unknown = only.filter((name) => !known.includes(name));
  if (unknown.length === 0) return [...new Set(only)].sort();
  throw new BerthError("usage", {
    where: `stack ${environment}`,
    what: "the lock has no such deployment",
    got: unknown.join(", "),
    expected: known.join(", "),
  });
}

function assertMeant(gates: Gates, known: readonly string[], environment: string): void {
  const unknown = findUnknown(gates, known);
  if (unknown.length === 0) return;
  throw new BerthError("stack-inconsistent", {
    where: `gates of ${environment}`,
    what: "they are for a deployment that the lock does not have",
    got: unknown.join(", "),
    expected: [...known, '"*"'].join(", "),
  });
}
