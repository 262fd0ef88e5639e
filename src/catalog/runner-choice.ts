/** One runner image for several hosts. Pure. */
import type { RunnerCatalogue, RunnerImage } from "./runner-catalogue.js";
import { ordersOf } from "./runner-order.js";
import {
  describeDoubt,
  preferenceOf,
  refusalOf,
  resolveRunner,
  viewImages,
  withoutFit,
  type LookedAt,
  type PassedOver,
  type RunnerFacts,
  type RunnerQuestion,
  type RunnerView,
} from "./runner-resolution.js";

export interface RunnerChoiceQuestion extends RunnerQuestion {
  /** The image that is in use, and the hosts that have it: it stays while all of them can run it. */
  readonly before?: { readonly tag: string; readonly hosts: readonly string[] } | undefined;
}

/** Whether a host can run the image that was chosen. */
export type RunnerOnHost =
  | {
      readonly kind: "runs";
      /** Whether its runtime is above the host's, of the same major version. */
      readonly isAbove: boolean;
      readonly notes: readonly string[];
    }
  | { readonly kind: "cannot"; readonly reason: string };

export type RunnerChoice =
  | {
      readonly kind: "chosen";
      readonly image: RunnerImage;
      /** Why it, in one sentence. */
      readonly reason: string;
      readonly hosts: Readonly<Record<string, RunnerOnHost>>;
      readonly others: readonly PassedOver[];
    }
  | {
      readonly kind: "refused";
      /** Why, and what would have to be there, by host. */
      readonly hosts: Readonly<Record<string, string>>;
    };

/** Hosts that see the images alike. */
interface Group {
  readonly hosts: readonly string[];
  readonly facts: RunnerFacts;
  readonly seen: ReturnType<typeof viewImages>;
}

/** An image, and on how many hosts it runs. */
interface Counted {
  readonly image: RunnerImage;
  readonly runs: number;
  /** On how many of them it is known to. */
  readonly known: number;
  /** On how many of them it is not above what they have. */
  readonly covered: number;
}

/**
 * The runner image for hosts that are to run the same: of those that are known to run on the most of them, one that may
 * run on the most and is above the runtime of the fewest, and then as a host alone is to have it. For one host it is what
 * {@link resolveRunner} answers.
 */
export function chooseRunner(
  catalogue: RunnerCatalogue,
  hosts: Readonly<Record<string, RunnerFacts>>,
  { before, ...asked }: RunnerChoiceQuestion,
): RunnerChoice {
  const question = { ...asked, inUse: before?.tag };
  const groups = groupHosts(catalogue, hosts, question);
  const counted = countImages(groups);
  const kept = counted.find(({ image }) => image.tag === before?.tag);
  if (kept !== undefined && isKept(kept.image, groups, before?.hosts ?? []))
    return answer({ best: kept, counted, groups, reason: "as locked before" });
  const prefer = preferenceOf(question.policy, ordersOf(counted.map(({ image }) => image)));
  const [best] = counted
    .filter(({ runs }) => runs > 0)
    .sort(
      (a, b) =>
        b.known - a.known ||
        b.runs - a.runs ||
        b.covered - a.covered ||
        prefer(a.image, b.image) ||
        (a.image.tag < b.image.tag ? -1 : 1),
    );
  if (best !== undefined)
    return answer({ best, counted, groups, reason: reasonFor(best, { counted, groups }, catalogue, question) });
  const reasons = groups.flatMap((group) =>
    group.hosts.map((host) => [host, describeRefusal(group, question)] as const),
  );
  return { kind: "refused", hosts: Object.fromEntries(reasons) };
}

function groupHosts(
  catalogue: RunnerCatalogue,
  hosts: Readonly<Record<string, RunnerFacts>>,
  question: RunnerQuestion,
): Group[] {
  const alike = new Map<string, { hosts: string[]; facts: RunnerFacts }>();
  for (const [host, facts] of Object.entries(hosts).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const outlook = outlookOf(facts);
    const group = alike.get(outlook) ?? { hosts: [], facts };
    group.hosts.push(host);
    alike.set(outlook, group);
  }
  return [...alike.values()].map((group) => ({ ...group, seen: viewImages(catalogue, group.facts, question) }));
}

/** Of many hosts each is asked for many deployments. */
const outlooks = new WeakMap<RunnerFacts, string>();

/** A word for all of a host that decides which images it can run. */
export function outlookOf(facts: RunnerFacts): string {
  const known = outlooks.get(facts);
  if (known !== undefined) return known;
  const { os, arch, accelerators } = facts;
  const devices = accelerators.map(({ type, name, runtimeVersion, computeCapability, llvmTarget, soc }) =>
    [type, name, runtimeVersion, computeCapability, llvmTarget, soc].join(" "),
  );
  const outlook = [os, arch, ...[...new Set(devices)].sort()].join("; ");
  outlooks.set(facts, outlook);
  return outlook;
}

function countImages(groups: readonly Group[]): Counted[] {
  const counted = new Map<string, { image: RunnerImage; runs: number; known: number; covered: number }>();
  for (const { hosts, seen } of groups) {
    if (seen.kind === "refused") continue;
    for (const looked of seen.looked) {
      const count = counted.get(looked.tag) ?? { image: withoutFit(looked), runs: 0, known: 0, covered: 0 };
      if (runsOn(looked)) count.runs += hosts.length;
      if (isKnown(looked)) count.known += hosts.length;
      if (isCovered(looked)) count.covered += hosts.length;
      counted.set(looked.tag, count);
    }
  }
  return [...counted.values()];
}

function runsOn({ fit }: LookedAt): boolean {
  return fit.kind === "fits" && fit.order !== "later";
}

function isKnown(looked: LookedAt): boolean {
  return runsOn(looked) && looked.fit.kind === "fits" && looked.fit.isKnown;
}

function isCovered({ fit }: LookedAt): boolean {
  return fit.kind === "fits" && (fit.order === "covered" || fit.order === "unknown");
}

function isKept(image: RunnerImage, groups: readonly Group[], on: readonly string[]): boolean {
  const own = groups.filter(({ hosts }) => hosts.some((host) => on.includes(host)));
  return own.length > 0 && own.every((group) => onGroup(image, group).kind === "runs");
}

function answer(found: {
  readonly best: Counted;
  readonly counted: readonly Counted[];
  readonly groups: readonly Group[];
  readonly reason: string;
}): RunnerChoice {
  const { best, counted, groups, reason } = found;
  const hosts = groups.flatMap((group) => {
    const on = onGroup(best.image, group);
    return group.hosts.map((host) => [host, on] as const);
  });
  const others = counted
    .filter(({ image }) => image.tag !== best.image.tag)
    .map((other) => ({ image: other.image, reason: passedOver(other, best, groups) }));
  return { kind: "chosen", image: best.image, reason, hosts: Object.fromEntries(hosts), others };
}

function onGroup({ tag }: RunnerImage, { seen }: Group): RunnerOnHost {
  if (seen.kind === "refused") return { kind: "cannot", reason: seen.reason };
  const looked = seen.looked.find((each) => each.tag === tag);
  if (looked === undefined) return { kind: "cannot", reason: "it is of another accelerator type" };
  if (looked.fit.kind === "misfit") return { kind: "cannot", reason: looked.fit.reason };
  if (!runsOn(looked)) return { kind: "cannot", reason: describeLater(seen) };
  return { kind: "runs", isAbove: !isCovered(looked), notes: looked.fit.notes };
}

function describeLater({ host, file }: RunnerView): string {
  return `its runtime is of a later major version than the host's, ${file.name} ${host.runtime ?? ""}`;
}

/** For hosts that are alike it is the reason of one of them. */
function reasonFor(
  { image, runs, known, covered }: Counted,
  { counted, groups }: { readonly counted: readonly Counted[]; readonly groups: readonly Group[] },
  catalogue: RunnerCatalogue,
  question: RunnerQuestion,
): string {
  const [first] = groups;
  if (first !== undefined && groups.length === 1) {
    const alone = resolveRunner(catalogue, first.facts, question);
    if (alone.kind === "resolved" && alone.image.tag === image.tag) return alone.reason;
  }
  const above = covered === runs ? "" : `, though it is above the runtime of ${runs - covered} of them`;
  const isDoubted = known === runs && counted.some((other) => other.known < other.runs);
  return `the newest of those that ${isDoubted ? "are known to run" : "run"} on ${describeCount(runs, groups)}${above}`;
}

function passedOver({ image, runs, known, covered }: Counted, best: Counted, groups: readonly Group[]): string {
  const total = totalOf(groups);
  if (runs === 0 || (runs < best.runs && total === 1)) {
    const [reason = ""] = groups.flatMap((group) => {
      const on = onGroup(image, group);
      return on.kind === "cannot" ? [on.reason] : [];
    });
    return reason;
  }
  if (known < runs && known < best.known)
    return known === 0 && best.known === total
      ? describeDoubt(best.image)
      : `it is known to run on ${known} of ${total} hosts, and ${best.image.tag} on ${best.known}`;
  if (runs < best.runs) return `it runs on ${runs} of ${total} hosts, and ${best.image.tag} on ${best.runs}`;
  if (covered < best.covered)
    return total === 1
      ? "its runtime is above the host's"
      : `its runtime is above that of ${runs - covered} of ${total} hosts`;
  return `${best.image.tag} is preferred`;
}

function describeCount(runs: number, groups: readonly Group[]): string {
  const total = totalOf(groups);
  return runs === total ? `all ${total} hosts` : `${runs} of ${total} hosts`;
}

function totalOf(groups: readonly Group[]): number {
  return groups.reduce((sum, { hosts }) => sum + hosts.length, 0);
}

function describeRefusal({ seen }: Group, question: RunnerQuestion): string {
  if (seen.kind === "refused") return seen.reason;
  const { reason, needed } = refusalOf(seen, question);
  return needed === undefined ? reason : `${reason}; needed: ${needed}`;
}
