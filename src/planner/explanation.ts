/** Why the replicas of a deployment are where they are, and why not on the other hosts. Pure. */
import { BerthError } from "../lib/errors.js";
import type { StackFile } from "../schema/stack.js";
import type { FleetPlan, PlacedReplica } from "./fleet/problem.js";
import { describeLack } from "./fleet/refusal-text.js";
import { labelsOf } from "./host-choice.js";
import { describeMemory } from "./place-text.js";
import { planReplicas } from "./replica-placement.js";
import type { Candidate, PreviousInstance, ReplicaPlace, ReplicaProblem } from "./replica-problem.js";
import { instanceName } from "./replicas.js";
import { unmetBy } from "./selector.js";
import type { HostSelector } from "../schema/selector.js";

export interface Explanation {
  readonly deployment: string;
  /** Where each replica is, and what it takes; empty when they have no place. */
  readonly replicas: readonly { readonly name: string; readonly where: string; readonly takes: string }[];
  /** Why the deployment has its devices alone. */
  readonly note: string | undefined;
  /** Why they have no place. */
  readonly problem: string | undefined;
  /** Each other host, and what speaks against it. */
  readonly elsewhere: readonly { readonly host: string; readonly why: string }[];
  /** Hosts that come into question and were not tried. */
  readonly untried: number;
}

export interface ExplanationProblem extends Omit<ReplicaProblem, "stack"> {
  readonly stack: StackFile;
  readonly selector: HostSelector;
  readonly candidate: Candidate & { readonly leftOut: Readonly<Record<string, string>> };
}

/** Each host costs a plan of the whole fleet. */
const mostTried = 24;

export function explainDeployment(problem: ExplanationProblem, places: Places): Explanation {
  const { candidate, stack } = problem;
  const own =
    places.kind === "placed" ? [...places.places].filter(([, each]) => each.deployment === candidate.name) : [];
  const chosen = new Set(own.flatMap(([, place]) => [place, ...(place.subordinates ?? [])].map(({ host }) => host)));
  const others = Object.keys(stack.hosts).filter((host) => !chosen.has(host));
  const open = others.filter((host) => candidate.hosts.includes(host));
  const tried = new Set(open.sort().slice(0, mostTried));
  return {
    deployment: candidate.name,
    replicas: own.map(([name, place]) => describeReplica(name, place)),
    note: candidate.ways.note,
    problem: places.kind === "refused" ? places.reason : undefined,
    elsewhere: others.sort().flatMap((host) => {
      const ruled = ruleOut(problem, host);
      if (ruled !== undefined) return [{ host, why: ruled }];
      return tried.has(host) ? [{ host, why: tryHost(problem, places, host) }] : [];
    }),
    untried: open.length - tried.size,
  };
}

/** What the placement of the whole stack came to. */
export type Places =
  | { readonly kind: "placed"; readonly places: ReadonlyMap<string, ReplicaPlace> }
  | { readonly kind: "refused"; readonly reason: string };

function describeReplica(name: string, place: ReplicaPlace): Explanation["replicas"][number] {
  const parts = [place, ...(place.subordinates ?? [])];
  const where = parts.map(({ host, devices }) => (devices.length === 0 ? host : `${host} ${devices.join(", ")}`));
  const takes = parts.map(({ memory }) => (memory === undefined ? "nothing that is known" : describeMemory(memory)));
  return { name, where: where.join(" + "), takes: takes.join(" + ") };
}

/** What speaks against a host whatever else is there. */
function ruleOut({ stack, hosts, selector, candidate }: ExplanationProblem, host: string): string | undefined {
  const named = candidate.deployment.host;
  if (named !== undefined && named !== host) return `the deployment names host ${named}`;
  if (stack.hosts[host]?.drain === true) return "it is drained";
  const unmet = unmetBy(labelsOf({ stack, hosts }, host), selector);
  if (unmet.length > 0) return `its labels do not fit: ${unmet.join(", ")}`;
  return candidate.leftOut[host];
}

/** Plans anew with one replica on this host alone, and everything else where it is. */
function tryHost(problem: ExplanationProblem, places: Places, host: string): string {
  const { candidate } = problem;
  // Where not all have a place, the question is whether all would have one here.
  const replicas = places.kind === "refused" ? (candidate.deployment.replicas ?? 1) : 1;
  const alone: Candidate = { ...candidate, hosts: [host], deployment: { ...candidate.deployment, replicas } };
  const others = problem.candidates.filter(({ name }) => name !== candidate.name);
  const instances = Object.entries(problem.previous?.instances ?? {}).filter(
    ([, { deployment }]) => deployment !== candidate.name,
  );
  const previous = { instances: { ...Object.fromEntries(instances), ...placedOthers(places, candidate.name) } };
  const { plan } = planReplicas({ ...problem, candidates: [...others, alone], previous });
  const refused = plan.refusals.find(({ deployment }) => deployment === candidate.name);
  if (refused !== undefined) return describeLack(refused);
  return describeFit(plan, candidate.name);
}

function placedOthers(places: Places, own: string): Readonly<Record<string, PreviousInstance>> {
  if (places.kind === "refused") return {};
  const others = [...places.places].filter(([, { deployment }]) => deployment !== own);
  return Object.fromEntries(others);
}

function describeFit({ instances, refusals }: FleetPlan, own: string): string {
  const others = instances.filter(({ deployment }) => deployment !== own);
  const [lost] = refusals;
  if (lost !== undefined) return `it fits there when ${lost.deployment} goes`;
  const moved = others.filter(({ kept }) => !kept);
  if (moved.length > 0) return `it fits there when others move: ${moved.map(describeMove).join(", ")}`;
  return "it fits there too, and is no better";
}

function describeMove({ deployment, replica, parts }: PlacedReplica): string {
  return `${instanceName(deployment, replica)} to ${parts.map(({ host }) => host).join(", ")}`;
}

/** @throws the error itself, unless it is that something has no place */
export function refusedBy(error: unknown): Places {
  if (error instanceof BerthError && error.code === "does-not-fit") return { kind: "refused", reason: error.message };
  throw error;
}
