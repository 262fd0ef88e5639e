/** Ways in which a replica of a deployment can run. */
import type { MemoryModel } from "../model/memory-model.js";
import type { Distribution } from "../schema/backend.js";
import type { Accelerator } from "../schema/facts.js";
import type { PlacedMemory } from "../schema/placement.js";
import type { DeploymentEntry } from "../schema/stack.js";
import type { PlacementOption } from "./fleet/problem.js";
import type { GroupWay } from "./group-way.js";

export interface Way {
  readonly option: PlacementOption;
  /** What it is on the devices that were chosen for it. */
  describe(devices: readonly ChosenDevice[]): WayDetail;
}

export interface ChosenDevice {
  /** Identity of the accelerator, or of a part of it. */
  readonly id: string;
  readonly totalBytes: number;
}

export interface WayDetail {
  /** Undefined where nothing is known, and no device is given. */
  readonly memory: PlacedMemory | undefined;
  /** What the engine has to be told of it. */
  readonly arguments: readonly string[];
}

/** What is known of the engine's memory. */
export type EngineMemory =
  | { readonly kind: "known"; readonly model: MemoryModel; readonly isExact: boolean }
  /** Why nothing is. */
  | { readonly kind: "unknown"; readonly reason: string };

export interface WayProblem {
  /** What names the deployment, for errors. */
  readonly where?: string | undefined;
  readonly deployment: Pick<DeploymentEntry, "resources" | "placement">;
  /** Arguments of the engine. */
  readonly parameters: readonly string[];
  /** Names of the engine's variables of the environment. */
  readonly variables: readonly string[];
  readonly engine: EngineMemory;
  /** What the parameters say, and the engine's flag for it. */
  readonly tensorParallelSize: number | undefined;
  readonly tensorParallelFlag: string | undefined;
  /** The same of groups of layers. */
  readonly pipelineParallelSize?: number | undefined;
  readonly pipelineParallelFlag?: string | undefined;
  readonly devices: DeviceStock;
  /** How the release can have several hosts; undefined where it cannot. */
  readonly distributed?: Distribution | undefined;
}

/** What the hosts that come into question have; they are of one kind. */
export type DeviceStock =
  /** Nothing, or nothing that the engine can use, or devices that work in the host's memory. */
  | { readonly kind: "none"; readonly isUnified: boolean }
  | {
      readonly kind: "devices";
      readonly type: Accelerator["type"];
      /** The most that one host has. */
      readonly mostPerHost: number;
      /** Each size that there is, the greatest first, bytes. */
      readonly totals: readonly number[];
    };

export interface Remedy {
  readonly change: string;
  readonly option: PlacementOption;
}

export interface Ways {
  readonly ways: readonly Way[];
  /** What somebody could change, and how it would run then. Asked only where something has no place: each is estimated. */
  remedies(): readonly Remedy[];
  /** Why the deployment has its devices alone; undefined where its memory is known. */
  readonly note: string | undefined;
  /** How a replica would have several hosts; undefined where that is not known. */
  readonly group?: GroupWay | undefined;
}

/** The same bytes on each device, of which nothing else is known. */
export function plainMemory(
  option: string,
  basis: "stated" | "whole",
  devices: readonly { readonly id: string; readonly bytes: number }[],
  hostBytes: number,
): PlacedMemory {
  const each = devices.map(({ id, bytes }) => {
    return { device: id, weightsBytes: 0, cacheBytes: 0, otherBytes: bytes, takenBytes: bytes };
  });
  return { option, basis, devices: each, hostBytes };
}
