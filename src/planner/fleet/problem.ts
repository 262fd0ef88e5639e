/**
 * What placement over a fleet is asked, and what it answers. Plain values: nothing here knows stack files or locks.
 * The order of any list says nothing; the same problem in another order has the same plan, byte for byte.
 */
import type { Accelerator } from "../../schema/facts.js";
import type { HostSelector } from "../../schema/selector.js";
import type { Labels } from "../selector.js";

export interface FleetProblem {
  readonly hosts: readonly FleetHost[];
  readonly demands: readonly Demand[];
}

export interface FleetHost {
  readonly name: string;
  readonly labels: Labels;
  /** Memory for instances: what the host has without what others use and what is reserved. */
  readonly ramBytes: number;
  /** How many instances it takes, such as it has ports; without a limit when left out. */
  readonly maxInstances?: number;
  readonly devices: readonly FleetDevice[];
  /** Models that lie on it, by the word that {@link Demand.model} has. */
  readonly models?: readonly string[];
}

export interface FleetDevice {
  /** Unique on its host. */
  readonly id: string;
  readonly type: Accelerator["type"];
  /** CUDA compute capability, LLVM target or SoC. */
  readonly capability?: string;
  readonly totalBytes: number;
  /** For this plan: the total without what others use and what is reserved. What the plan's own instances use counts. */
  readonly freeBytes: number;
  readonly linkGroup?: number;
  readonly pcieGroup?: number;
  /** A part of a GPU: it takes no part in an instance of several devices. */
  readonly isSlice?: boolean;
  /** Others use it, or have claimed it, so nothing can have it whole. */
  readonly hasOthers?: boolean;
}

/** One deployment. */
export interface Demand {
  /** Unique. */
  readonly deployment: string;
  readonly replicas: number;
  /** A greater one is placed first, and at the cost of smaller ones. */
  readonly priority?: number;
  readonly hostSelector: HostSelector;
  /** Deployments that no host of this one may have, both ways; its own name keeps its replicas apart. */
  readonly apartFrom?: readonly string[];
  readonly strategy: "spread" | "binpack";
  /** Hosts that have this model are taken before others that are as good. */
  readonly model?: string;
  /** Replicas more than {@link replicas} that an update wants room for. */
  readonly surge?: number;
  /** Devices that it may have, by host, where somebody named them. */
  readonly devices?: Readonly<Record<string, readonly string[]>>;
  /** Ways to run a replica; one is chosen for each. Those that no device could ever hold only cost time. */
  readonly options: readonly PlacementOption[];
  /** Where replicas are. They stay there unless another could not be placed, or they do not fit any more. */
  readonly previous?: readonly PreviousReplica[];
  /** What somebody could change about the deployment, and how it would run then; tried when it does not fit. */
  readonly remedies?: readonly Remedy[];
}

export interface PlacementOption {
  /** Unique in its deployment: `tp4`. */
  readonly name: string;
  /** A lower one is better, whatever devices it takes: full offload 0, partial 1, CPU 2. */
  readonly stage: number;
  /** Several, each with as many devices, for a distributed instance; 1 when left out. */
  readonly hosts?: number;
  /** On each host; 0 for an instance that needs none. */
  readonly devices: number;
  readonly acceleratorType?: FleetDevice["type"];
  /** Any of these, or a dotted number and whatever is above. */
  readonly capability?: readonly string[] | { readonly atLeast: string };
  /** What it needs on each device. */
  readonly bytesPerDevice: number;
  /** It takes this share of a device's total, as `--gpu-memory-utilization` says, which has to be what it needs. */
  readonly share?: number;
  /** Devices that nothing else uses. */
  readonly exclusive?: boolean;
  /** All its devices on a host are of one group. */
  readonly sameGroup?: "link" | "pcie";
  /** On each host. */
  readonly ramBytes: number;
  /** No host has two instances with the same word. */
  readonly oncePerHost?: string;
}

export interface Remedy {
  /** As people read it: `contextLength: 4096`. */
  readonly change: string;
  readonly option: PlacementOption;
}

export interface PreviousReplica {
  readonly replica: number;
  /** Tried first of those that would look the same. */
  readonly option?: string;
  readonly parts: readonly PlacedPart[];
}

/** The devices of an instance on one host. */
export interface PlacedPart {
  readonly host: string;
  readonly devices: readonly string[];
}

export interface FleetPlan {
  readonly instances: readonly PlacedReplica[];
  readonly refusals: readonly Refusal[];
  /** Of each deployment that wants room for an update. */
  readonly surges: readonly Surge[];
}

export interface PlacedReplica {
  readonly deployment: string;
  readonly replica: number;
  readonly option: string;
  readonly parts: readonly PlacedPart[];
  /** Whether it is where it was. */
  readonly kept: boolean;
}

export interface Surge {
  readonly deployment: string;
  readonly wanted: number;
  /** How many replicas more fit beside everything else. Fewer than wanted: the update has to stop one to start one. */
  readonly fits: number;
}

/** Why replicas of a deployment have no place, and what would change it. */
export interface Refusal {
  readonly deployment: string;
  readonly replicas: readonly number[];
  /** The option that comes closest. */
  readonly option: string;
  /** What is in the way on the host that comes closest, or on all of them. */
  readonly reason: "selector" | "accelerator" | "memory" | "ram" | "instances" | "apart" | "group" | "whole" | "hosts";
  readonly needs: Amount;
  /** The host that comes closest; none where no host has the labels. */
  readonly best?: Omit<Amount, "hosts"> & { readonly host: string };
  /** Whether each would fit in a fleet that had nothing else. */
  readonly fitsAlone: boolean;
  /** Changes of the deployment with which these replicas would fit beside everything else. */
  readonly remedies: readonly string[];
}

export interface Amount {
  readonly hosts: number;
  /** On each host. */
  readonly devices: number;
  /** On each of the devices. */
  readonly bytesPerDevice: number;
  readonly ramBytes: number;
}
