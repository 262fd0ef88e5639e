/** A problem in numbers: what the search works on. */
import type { Demand, FleetDevice, FleetHost, PlacementOption } from "./problem.js";

export interface Fleet {
  readonly hosts: readonly FleetHost[];
  readonly devices: readonly FleetDevice[];
  readonly banks: readonly Bank[];
  /** By device. */
  readonly bankOf: Int32Array;
  /** By device: its link group; -1 for none. */
  readonly links: Int32Array;
  /** Banks of each host. */
  readonly banksOf: readonly (readonly Bank[])[];
  readonly wants: readonly Want[];
  readonly replicas: readonly Replica[];
  /** Replicas and guests, by index. */
  readonly tenants: readonly Replica[];
  /** An option of a demand, for these hosts. */
  readonly shapeOf: (demand: Demand, option: PlacementOption) => Shape;
  /** How many different priorities there are. */
  readonly ranks: number;
}

/** Devices of one host and one type, or a host without any of them, for what needs none. */
export interface Bank {
  readonly index: number;
  readonly host: number;
  readonly type: FleetDevice["type"] | undefined;
  readonly first: number;
  readonly end: number;
}

/** A deployment. */
export interface Want {
  readonly index: number;
  readonly demand: Demand;
  /** 0 for the greatest priority. */
  readonly rank: number;
  /** The best first: by stage, then by devices. */
  readonly shapes: readonly Shape[];
  /** The same with those first that take the least memory of devices. */
  readonly frugal: readonly Shape[];
  /** Wants that no host of this one may have. */
  readonly apart: ReadonlySet<number>;
}

/** An option of a want. */
export interface Shape {
  readonly option: PlacementOption;
  /** On each host. */
  readonly devices: number;
  readonly hosts: number;
  readonly bytes: number;
  /** Of all its devices together. */
  readonly weightBytes: number;
  /** By device: whether it may be used, as far as that never changes. */
  readonly usable: Uint8Array;
  /** By bank: whether its host and type are right. */
  readonly eligible: Uint8Array;
  readonly banks: readonly Bank[];
  /** By device: the group that an instance may not leave; -1 for none. */
  readonly groups: Int32Array | undefined;
}

export interface Replica {
  readonly index: number;
  readonly number: number;
  /** Not to be placed: whether it could be is asked when all others have their places. */
  readonly isGuest: boolean;
  readonly want: Want;
  /** Where it was: the place with each option that would look the same, the best first. */
  readonly homes: readonly Spot[];
}

/** A place for a replica. */
export interface Spot {
  readonly shape: Shape;
  readonly parts: readonly SpotPart[];
}

export interface SpotPart {
  readonly bank: Bank;
  readonly devices: readonly number[];
}
