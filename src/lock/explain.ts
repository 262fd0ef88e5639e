import { BerthError } from "../lib/errors.js";
import { explainDeployment, refusedBy, type Explanation, type Places } from "../planner/explanation.js";
import { placeReplicas, type ReplicaProblem } from "../planner/replica-placement.js";
import { knowHosts, replicaProblem, type LockEdges, type LockProblem } from "./build.js";
import { draftReleases } from "./draft.js";

/**
 * Why the replicas of a deployment are where a lock of the stack would have them now.
 *
 * @throws BerthError `usage` for a deployment that the stack does not have
 */
export async function explainPlacement(
  problem: Pick<LockProblem, "owner" | "stack" | "catalogue" | "previous">,
  name: string,
  edges: LockEdges,
): Promise<Explanation> {
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
  return explainDeployment({ ...asked, stack, selector: draft.selector, candidate }, placesOf(asked));
}

function placesOf(problem: ReplicaProblem): Places {
  try {
    return { kind: "placed", places: placeReplicas(problem) };
  } catch (error) {
    return refusedBy(error);
  }
}
