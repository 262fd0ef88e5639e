import type { FleetProblem } from "../../src/planner/fleet/problem.js";

export interface FleetSize {
  readonly seed: number;
  readonly devices: number;
  /** What the deployments ask for at least, as a share of the memory. */
  readonly load: number;
  /** How many at most; as many as the load takes when left out. */
  readonly deployments?: number;
  readonly priorities?: number;
  /** Whether some replicas are somewhere already. */
  readonly previous?: boolean;
}

export interface Random {
  readonly next: () => number;
  readonly below: (count: number) => number;
  readonly chance: (share: number) => boolean;
  readonly pick: <T>(values: readonly T[]) => T;
  readonly shuffle: <T>(values: readonly T[]) => T[];
}

export declare function randomFrom(seed: number): Random;
export declare function makeFleet(size: FleetSize): FleetProblem;
export declare function makeFeasibleFleet(size: Pick<FleetSize, "seed" | "devices" | "load">): FleetProblem;
