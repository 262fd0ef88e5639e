/** What placement of replicas is asked, and what it answers. */
import type { PlacedMemory } from "../schema/placement.js";
import type { DeploymentEntry, StackFile } from "../schema/stack.js";
import type { FleetHost, FleetPlan } from "./fleet/problem.js";
import type { KnownHost } from "./host-choice.js";
import type { Ways } from "./way.js";

/** A deployment that is to be placed. */
export interface Candidate {
  readonly name: string;
  readonly deployment: DeploymentEntry;
  /** The hosts that come into question; they are of one kind. */
  readonly hosts: readonly string[];
  readonly ways: Ways;
  readonly modelSha256: string;
  /** Why hosts with the right labels do not come into question, by host. */
  readonly leftOut?: Readonly<Record<string, string>>;
}

export interface ReplicaProblem {
  /** Whose stack it is, as project/stack. */
  readonly owner: string;
  readonly stack: Pick<StackFile, "hosts">;
  readonly hosts: Readonly<Record<string, KnownHost>>;
  readonly candidates: readonly Candidate[];
  readonly previous: { readonly instances: Readonly<Record<string, PreviousInstance>> } | undefined;
  /** SHA-256 of the model of each deployment before. */
  readonly modelsBefore: Readonly<Record<string, string>>;
}

/** What counts of where a replica was. */
export interface PreviousInstance {
  readonly deployment: string;
  readonly host: string;
  readonly devices: readonly string[];
  readonly memory?: PlacedMemory | undefined;
  /** What it had on other hosts. */
  readonly subordinates?: readonly PreviousPart[] | undefined;
}

/** What a replica had on another host, or beside its engine. */
export interface PreviousPart {
  readonly host: string;
  readonly devices: readonly string[];
  readonly ray?: "head" | "member" | undefined;
}

/** Where a replica runs. */
export interface ReplicaPlace {
  readonly deployment: string;
  readonly host: string;
  readonly devices: readonly string[];
  readonly memory: PlacedMemory | undefined;
  /** What its engine has to be told. */
  readonly arguments: readonly string[];
  /** What it has on other hosts, in the order in which its engine names them. */
  readonly subordinates?: readonly SubordinatePlace[];
}

/** What a replica has on another host than its own. */
export interface SubordinatePlace {
  readonly host: string;
  readonly devices: readonly string[];
  /** Undefined where nothing is known, and no device is given. */
  readonly memory: PlacedMemory | undefined;
}

export interface ReplicaPlan {
  readonly hosts: readonly FleetHost[];
  /** Of the replicas that have one host each, with what is refused. */
  readonly plan: FleetPlan;
  /** The replicas that have several hosts, by the names of their instances. */
  readonly groups: ReadonlyMap<string, ReplicaPlace>;
  /** The hosts with the room that is left. */
  readonly left: readonly FleetHost[];
}
