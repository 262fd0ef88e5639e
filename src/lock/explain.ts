import { BerthError } from "../lib/errors.js";
import type { ChosenRunnerImage } from "../catalog/runner-install.js";
import { explainDeployment, refusedBy, type Explanation, type Places } from "../planner/explanation.js";
import { placeReplicas } from "../planner/replica-placement.js";
import type { ReplicaProblem } from "../planner/replica-problem.js";
import { knowHosts, replicaProblem, type LockEdges, type LockProblem } from "./build.js";
import { draftReleases } from "./draft.js";

/** Why a deployment has its runner image, and no other. */
export interface ExplainedRunnerImage {
  readonly reference: string;
  readonly reason: string;
  readonly notes: readonly string[];
  readonly others: readonly { readonly tag: string; readonly why: string }[];
}

export interface DeploymentExplanation extends Explanation {
  readonly runnerImage?: ExplainedRunnerImage;
}

/**
 * Why the replicas of a deployment are where a lock of the stack would have them now.
 *
 * @throws BerthError `usage` for a deployment that the stack does not have
 */
export async function explainPlacement(
  problem: Pick<LockProblem, "owner" | "stack" | "catalogue" | "previous">,
  name: string,
  edges: LockEdges,
): Promise<DeploymentExplanation> {
  const hosts = await knowHosts(problem, edges);
  const drafts = await draftReleases(problem, hosts, edges);
  const draft = drafts.find((each) => each.name === name);
  if (draft === undefined) {
    const expected = drafts.map((each) => each.name).join(" or ");
    throw new BerthError("usage", { what: "the stack has no such deployment", got: name, expected });
  }
  const asked = replicaProblem(problem, hosts, drafts);
  const candidate = { ...draft, modelSha256: draft.model.sha256 };
  const { stack } = problem;
  const explained = explainDeployment({ ...asked, stack, selector: draft.selector, candidate }, placesOf(asked));
  const [{ runnerImage } = {}] = draft.kinds.values();
  return runnerImage === undefined ? explained : { ...explained, runnerImage: explainRunnerImage(runnerImage) };
}

function explainRunnerImage({ reference, reason, notes, others }: ChosenRunnerImage): ExplainedRunnerImage {
  const passedOver = others.map(({ image: { tag }, reason: why }) => ({ tag, why }));
  return { reference, reason, notes, others: passedOver };
}

function placesOf(problem: ReplicaProblem): Places {
  try {
    return { kind: "placed", places: placeReplicas(problem) };
  } catch (error) {
    return refusedBy(error);
  }
}
