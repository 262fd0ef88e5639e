import type { RunnerContainer } from "../schema/container.js";

/**
 * What can keep runners alive. In this order runners are taken away: one that systemd keeps is taken from it before
 * supervisord's looks for a process that outlived its supervisor.
 */
export const runtimes = ["systemd", "supervisord", "docker"] as const;

export type Runtime = (typeof runtimes)[number];

/** What a supervisor keeps of a runner. */
export interface RunnerDefinition {
  /** Names the runner to its supervisor; safe as a file name. */
  readonly id: string;
  /** Holds the runner's files; only its owner can read it. */
  readonly folder: string;
  /** How long a start may take. A runner that ends earlier counts as not started. */
  readonly startSeconds: number;
  /** How long a stop may take before the runner is killed. */
  readonly stopSeconds: number;
}

/** A process or a container to keep alive. */
export interface RunnerSpec extends RunnerDefinition {
  /** Of a container its arguments, after the entrypoint. */
  readonly argv: readonly string[];
  /** The whole environment, nothing is inherited; in a container beside what the image says. */
  readonly environment: Readonly<Record<string, string>>;
  /** Undefined for a process. */
  readonly container?: RunnerContainer | undefined;
}

export type RunnerState =
  /** The supervisor does not know the runner. */
  | { readonly kind: "absent" }
  /** The supervisor itself does not run, or what it is asked by is gone: nothing is known to keep the runner alive. */
  | { readonly kind: "unsupervised" }
  | { readonly kind: "stopped"; readonly reason: string }
  /** It has its port and its devices, and does nothing. */
  | { readonly kind: "paused" }
  /** It ended, and is about to be started again. */
  | { readonly kind: "restarting"; readonly reason: string }
  /** `startedAt`: when its process was started, ISO 8601 by the host's clock, where its supervisor tells. */
  | { readonly kind: "running"; readonly pid: number; readonly startedAt?: string };

/** Whether it has, or is about to have, its port and its devices. */
export function isAlive({ kind }: RunnerState): boolean {
  return kind === "running" || kind === "paused" || kind === "restarting";
}

export interface RunnerObservation {
  readonly state: RunnerState;
  /** How often the runner came back by itself since {@link Supervisor.start}. */
  readonly restarts: number;
  /** False when the definition is not the one that was written. */
  readonly asDefined: boolean;
  /** What of it was changed, in words, where that can be told. */
  readonly changes?: readonly string[];
}

export interface OutputFollower {
  readonly onLine: (line: string) => void;
  readonly signal: AbortSignal;
}

/** What stands where a runner is to be, and belongs to somebody else. */
export interface ForeignRunner {
  /** What it is and whose, in words. */
  readonly what: string;
  /** What takes it away by hand. */
  readonly command: string;
  /** Ports of the host that it has. */
  readonly ports: readonly number[];
}

/** A runner's place, where somebody else may have it: anybody may give a container any name. */
export interface RunnerPlace {
  findForeign(definition: RunnerDefinition): Promise<ForeignRunner | undefined>;
  /** Stops what is foreign and keeps it aside; {@link Supervisor.remove} of the runner brings it back. */
  clear(definition: RunnerDefinition): Promise<void>;
  /** Whether something is kept aside. */
  isCleared(definition: RunnerDefinition): Promise<boolean>;
  /** Removes what is kept aside: the runner has its place for good. */
  settle(definition: RunnerDefinition): Promise<void>;
}

/**
 * Keeps runners alive: starts them again when they end, and keeps them when the shell that made them is gone. Every
 * implementation passes the same contract suite (`test/contract/supervisor.ts`).
 */
export interface Supervisor {
  /** Makes the supervisor itself run. Called before the first start. */
  prepare(): Promise<void>;
  /** Defines a runner and starts it; one that runs already is stopped first. Does not wait until it is healthy. */
  start(spec: RunnerSpec): Promise<void>;
  /** Stops a runner and keeps its definition, so that it can be started again; it does not come back by itself. */
  stop(definition: RunnerDefinition): Promise<void>;
  /** Stops a runner and removes its definition. A runner that is not there is fine. */
  remove(definition: RunnerDefinition): Promise<void>;
  /** Looks, and changes nothing on the host. */
  observe(definition: RunnerDefinition): Promise<RunnerObservation>;
  /** Why a runner that came back by itself had ended; undefined where that is not known. */
  lastEnd?(definition: RunnerDefinition): Promise<string | undefined>;
  /** The last lines that a runner wrote. Not redacted. */
  readOutput(definition: RunnerDefinition, lines: number): Promise<string>;
  /** The same, and then each line as it comes, until the signal. */
  followOutput(definition: RunnerDefinition, lines: number, follower: OutputFollower): Promise<void>;
  /** Ids of the defined runners. */
  list(): Promise<string[]>;
  /** Ids of an instance's runners that are there, whether their definitions are or not. @param instance its folder */
  findLost?(instance: string): Promise<string[]>;
  readonly place?: RunnerPlace;
  /**
   * Removes what {@link prepare} made, when no runner is left; also what was left when the data directory was lost. Of
   * things that others may have too only those of the given owner, who has lost them.
   */
  retire(lostBy?: string): Promise<void>;
}
