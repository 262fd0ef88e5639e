import type { FleetProblem } from "../../src/planner/fleet/problem.js";

/** The best that each objective can be, the earlier ones being the best; what comes after one that is not proven is missing. */
export interface Optimum {
  readonly proven: boolean;
  readonly [objective: string]: number | boolean;
}

export declare function solve(
  problem: FleetProblem,
  limits: { readonly seconds: number; readonly moreSeconds?: number },
): Promise<Optimum>;
