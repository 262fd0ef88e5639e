/** How one replica of an engine has several hosts. */
import type { FleetDevice } from "./fleet/problem.js";
import type { PlacedMemory } from "../schema/placement.js";

/** What a host gives to a replica that has several. */
export interface MemberRoom {
  /** Of its memory, bytes. */
  readonly ramBytes: number;
  /** In the order in which the engine takes them; none where the processor computes. */
  readonly devices: readonly Pick<FleetDevice, "id" | "freeBytes">[];
}

/** What each host of a replica takes, the others in the order in which the primary names them. */
export interface GroupShare {
  readonly primary: PlacedMemory;
  readonly others: readonly PlacedMemory[];
  /** What the primary's engine is told of it, but for the addresses. */
  readonly arguments: readonly string[];
}

export interface GroupWay {
  /** The type of the devices that members give; undefined where they give their hosts' memory. */
  readonly acceleratorType: FleetDevice["type"] | undefined;
  /** The most devices of all members together. */
  readonly mostDevices: number;
  /** Undefined where it does not fit. */
  share(primary: MemberRoom, others: readonly MemberRoom[]): GroupShare | undefined;
}
