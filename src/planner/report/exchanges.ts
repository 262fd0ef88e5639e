/** Whether what a plan moves can be moved in one run. */
import { roomAmong } from "../../host/claim-conflict.js";
import { claimsOf } from "../../host/claims.js";
import type { HostClaim } from "../../schema/facts.js";
import { desiredStack } from "../desired.js";
import { deviceShare } from "../device-share.js";
import { describeBlocked, findBlocked, twoSteps } from "../exchange.js";
import { findSuccession, type HostClaims } from "../succession.js";
import { foldNames } from "./names.js";
import type { Seen, SeenReplica } from "./seen.js";

/** One sentence where an `up` would be refused because instances wait for each other. */
export function exchangesOf({ lock, hosts, objects, projectRoot }: Seen): string[] {
  const waves = new Map(
    desiredStack(lock, projectRoot).instances.map(({ name, rollout }) => [name, rollout?.wave ?? 0]),
  );
  const claims = Object.entries(lock.placement.hosts).map(([name, placed]): HostClaims => {
    const live = hosts[name];
    const { accelerators } = live?.reachable === true ? live.facts : placed.facts;
    const of = (which: "before" | "after") =>
      objects.flatMap(({ name: instance, instance: seen }) => claimsOn(name, instance, seen?.[which]));
    return { held: of("before"), wanted: of("after"), roomOf: roomAmong(accelerators) };
  });
  const blocked = findBlocked(waves, claims, findSuccession(waves, claims));
  const [first] = blocked;
  if (first === undefined) return [];
  const names = [...new Set(blocked.flatMap(({ wanted, rival }) => [wanted.instance, rival.instance]))].sort();
  const why = blocked.map(describeBlocked).join("; ");
  return [`the \`up\` would be refused, because ${foldNames(names)} change places: ${why}\nto do: ${twoSteps(first)}`];
}

function claimsOn(host: string, instance: string, replica: SeenReplica | undefined): HostClaim[] {
  const [port, ...slots] = replica?.ports ?? [];
  if (replica?.host !== host || port === undefined) return [];
  const { devices, memory } = replica;
  // All are of the stack: what others have, the lock has left alone.
  return claimsOf({ owner: "", instance }, { port, slots, devices, deviceBytes: deviceShare(memory) });
}
