import type { FleetProblem } from "../../src/planner/fleet/problem.js";

export declare function boundByDevices(problem: FleetProblem, limits: { readonly iterations: number }): Promise<number>;
