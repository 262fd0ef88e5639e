import type { Link } from "./chain.js";
import type { FakeDeployment } from "./fake-stack.js";
import type { Sandbox } from "./sandbox.js";

/** Every point; otherwise each scenario at one point, with one victim. */
const runAll = process.env.BERTH_TEST_ALL === "1";

/** Who is killed: the Pulumi CLI alone, the provider alone, or both. */
const victims = ["engine", "provider", "both"] as const;
export type Victim = (typeof victims)[number];

/** What the user does next: runs the same stack again, takes the edit back, or removes what was edited. */
const followUps = ["same", "reverted", "removed"] as const;
type FollowUp = (typeof followUps)[number];

export interface KillPoint {
  kind: string;
  operation: "create" | "update" | "delete";
  /** A step's text, or `end`. */
  step: string;
  /** Part of the resource's name. */
  name: string;
}

export interface Wanted {
  deployments: Record<string, FakeDeployment & { answers: string }>;
  /** A second host, with its data directory `second`. */
  second?: boolean;
}

export interface Scenario {
  title: string;
  points: KillPoint[];
  base: Wanted;
  edited: Wanted;
  removed: Wanted;
  /** Makes what the edited stack then has to repair. */
  damage?: (sandbox: Sandbox) => void;
  /** The edited stack cannot work: the run fails by itself, and with the same stack again it fails again. */
  fails?: boolean;
  /** Who is killed, when it is not each of {@link victims}. */
  victims?: readonly Victim[];
  /** The deployment that answers all the time, unless it is removed. */
  steady?: string;
  /** A known gap: when a host is dropped whose creation the state never heard of, nobody is left that knows of its folder. */
  leavesFolder?: boolean;
}

/** A scenario's point with one of its victims, and what the user does then. */
export interface Case extends Link<Wanted> {
  readonly scenario: Scenario;
  readonly point: KillPoint;
  readonly victim: Victim;
  readonly followUp: FollowUp;
  /** What the user wants in the end. */
  readonly next: Wanted;
  readonly folderStays: boolean;
}

/**
 * Each point with the provider, every third one by turns with the engine alone or both too; over them each follow-up.
 */
export function casesOf(scenario: Scenario): Case[] {
  const { points: all, victims: killed = victims, base: from, edited, removed } = scenario;
  const otherThanProvider = killed.filter((victim) => victim !== "provider");
  return all.flatMap((point, row) =>
    killed.flatMap((victim, column) => {
      const turn = row % 3 === 0 ? otherThanProvider[(row / 3) % otherThanProvider.length] : undefined;
      const isTurn = victim === "provider" || victim === turn;
      const isChosen = row === Math.floor(all.length / 2) && column === row % killed.length;
      if (!(runAll ? isTurn : isChosen)) return [];
      const followUp = followUps[(row + column) % followUps.length] ?? "same";
      const next = followUp === "same" ? edited : followUp === "reverted" ? from : removed;
      const to = scenario.fails === true && followUp === "same" ? undefined : next;
      const folderStays = scenario.leavesFolder === true && followUp !== "same";
      return [{ scenario, point, victim, followUp, from, to, next, folderStays }];
    }),
  );
}
