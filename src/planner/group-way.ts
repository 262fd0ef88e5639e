/** How one replica of an engine has several hosts. */
import type { FleetDevice } from "./fleet/problem.js";
import type { PlacedMemory } from "../schema/placement.js";

/** What a host gives to a replica that has several. */
export interface MemberRoom {
  /** Of its memory, bytes. */
  readonly ramBytes: number;
  /** In the order in which the engine takes them; none where the processor computes. */
  readonly devices: readonly Pick<FleetDevice, "id" | "freeBytes" | "totalBytes" | "hasOthers">[];
}

/** What each host of a replica takes, the others in the order in which the primary names them. */
export interface GroupShare {
  /** Undefined where nothing is known, and no device is given. */
  readonly primary: PlacedMemory | undefined;
  readonly others: readonly (PlacedMemory | undefined)[];
  /** What the primary's engine is told of it, but for the addresses. */
  readonly arguments: readonly string[];
}

/** So many hosts, each with so many devices. */
export interface EvenShape {
  readonly hosts: number;
  readonly devices: number;
}

/** A way in which all hosts give equally many devices. */
export interface EvenSplit {
  /** The shapes that the engine can have, the best first: the fewest hosts, then the fewest devices. */
  readonly shapes: readonly EvenShape[];
  /** What a member of such a group has of a host; undefined where the host has not so much. */
  part(shape: EvenShape, room: MemberRoom): MemberRoom | undefined;
}

/** What hosts of a group have to have. */
export interface GroupNeeds {
  /** Something before its servers that admits the primary alone. */
  readonly guard: boolean;
  /** A private address that is a number. */
  readonly numericAddress: boolean;
  /** The model's files, which lie below one path on all of them. */
  readonly model: boolean;
}

export interface GroupWay {
  /** The type of the devices that members give; undefined where they give their hosts' memory. */
  readonly acceleratorType: FleetDevice["type"] | undefined;
  /** The most devices of all members together. */
  readonly mostDevices: number;
  readonly needs: GroupNeeds;
  /** Whether a replica cannot have one host alone. */
  readonly isNeeded?: boolean;
  /** Left out where each host gives as many devices as it has room for. */
  readonly even?: EvenSplit;
  /** Undefined where it does not fit. */
  share(primary: MemberRoom, others: readonly MemberRoom[]): GroupShare | undefined;
}
