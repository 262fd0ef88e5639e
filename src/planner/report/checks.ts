/** What a plan has looked at, and what it cannot know. */
import { lookUp } from "../../lib/record.js";
import type { HostReport } from "../../schema/facts.js";
import { formatBytes } from "../../lib/format.js";
import type { HostFetch, Place, PlannedDeployment, PlannedStrategy } from "../../schema/plan.js";
import { exchangesOf } from "./exchanges.js";
import { foldNames } from "./names.js";
import type { Need } from "./needs.js";
import type { Seen, SeenObject } from "./seen.js";
import type { HostStores } from "./stores.js";

export interface Findings {
  readonly checked: string[];
  readonly unknown: string[];
}

/** What was found of one question: what is well, and what is not known or not well. */
type Finding = Partial<Findings>;

/** What a plan has made of what was seen. */
export interface Worked {
  readonly places: readonly Place[];
  readonly needs: readonly Need[];
  readonly hostFetches: readonly HostFetch[];
  readonly deployments: readonly PlannedDeployment[];
}

export function findingsOf(seen: Seen, { places, needs, hostFetches, deployments }: Worked): Findings {
  const findings: Finding[] = [
    lookAtHosts(seen),
    lookAtState(seen),
    lookAtPlacement(seen),
    lookAtDevices(seen.objects, seen.hosts),
    lookAtMemory(places),
    { unknown: exchangesOf(seen) },
    lookAtPorts(seen.objects, seen.hosts),
    lookAtSizes(needs),
    lookAtDisks(hostFetches),
    lookAtTimes(hostFetches),
    lookAtLoads(deployments, seen.stores),
    { unknown: [...seen.warnings, ...seen.notes] },
  ];
  return {
    checked: findings.flatMap(({ checked = [] }) => checked),
    unknown: findings.flatMap(({ unknown = [] }) => unknown),
  };
}

function lookAtHosts({ hosts }: Seen): Finding {
  const all = Object.entries(hosts);
  const lost = all.flatMap(([name, host]) =>
    host.reachable ? [] : [`${name} does not answer: ${firstLine(host.problem)}`],
  );
  const count = all.length - lost.length;
  return {
    checked: [`${count} of ${all.length} ${all.length === 1 ? "host answers" : "hosts answer"}`],
    unknown: lost,
  };
}

function lookAtState({ objects, hasState }: Seen): Finding {
  if (hasState) return { checked: [`Pulumi's preview looked at ${objects.length} objects on their hosts`] };
  return { unknown: ["Pulumi has no such stack yet: what hosts already have of it is not compared"] };
}

/** The preview solves for itself, and may have seen hosts that changed meanwhile. */
function lookAtPlacement({ objects, lock, hasState }: Seen): Finding {
  if (!hasState) return {};
  const planned = new Map(
    objects.flatMap(({ name, instance }) => (instance?.after === undefined ? [] : [[name, instance.after]])),
  );
  const differ = Object.entries(lock.placement.instances).filter(([name, { host, devices, port }]) => {
    const other = planned.get(name);
    if (other === undefined) return true;
    return other.host !== host || other.devices.join() !== devices.join() || !other.ports.includes(port);
  });
  if (differ.length === 0) return { checked: ["the preview and the lock place every replica alike"] };
  const names = foldNames(differ.map(([name]) => name));
  return {
    unknown: [
      `hosts changed while they were looked at: the preview places ${names} otherwise than the lock; plan again`,
    ],
  };
}

function lookAtDevices(objects: readonly SeenObject[], hosts: Readonly<Record<string, HostReport>>): Finding {
  let count = 0;
  const missing: string[] = [];
  for (const { name, instance } of objects) {
    const { host = "", devices = [] } = instance?.after ?? {};
    const known = lookUp(hosts, host);
    if (known?.reachable !== true) continue;
    const there = known.facts.accelerators.flatMap(({ uuid, mig }) => [
      uuid,
      ...(mig?.devices ?? []).map((part) => part.uuid),
    ]);
    for (const device of devices) {
      if (there.includes(device)) count += 1;
      else missing.push(`${host} does not have device ${device}, which ${name} is to have`);
    }
  }
  return {
    checked: count === 0 ? [] : [`${count} placed ${count === 1 ? "device is" : "devices are"} there`],
    unknown: missing,
  };
}

function lookAtMemory(places: readonly Place[]): Finding {
  const devices = places.filter(({ device }) => device !== undefined);
  const overfull = places.filter(({ isOverfull }) => isOverfull);
  const unknown = new Set(
    places.flatMap(({ after }) => after.flatMap(({ deployment, bytes }) => (bytes === undefined ? [deployment] : []))),
  );
  const fits = devices.length > 0 && overfull.length === 0;
  return {
    checked: fits ? ["no device holds more than it has, at any moment, of what is known"] : [],
    unknown: [
      ...overfull.map(
        ({ host, device }) =>
          `${host} ${device === undefined ? "memory" : `device ${device}`} would hold more than it has`,
      ),
      ...[...unknown].sort().map((deployment) => `how much memory ${deployment} takes`),
    ],
  };
}

function lookAtPorts(objects: readonly SeenObject[], hosts: Readonly<Record<string, HostReport>>): Finding {
  let count = 0;
  const busy: string[] = [];
  for (const { name, change, instance } of objects) {
    const { host = "", ports = [] } = instance?.after ?? {};
    const known = lookUp(hosts, host);
    if (change !== "create" || known?.reachable !== true) continue;
    const listening = ports.filter((port) => known.usage.listeningPorts.includes(port));
    count += ports.length - listening.length;
    busy.push(...listening.map((port) => `${host}: something listens on port ${port}, which ${name} is to have`));
  }
  return { checked: count === 0 ? [] : [`${count} new ${count === 1 ? "port is" : "ports are"} free`], unknown: busy };
}

function lookAtSizes(needs: readonly Need[]): Finding {
  const missing = needs.filter(({ isThere }) => !isThere);
  const unknown = missing.filter(({ bytes }) => bytes === undefined);
  return { unknown: unknown.length === 0 ? [] : [`the size of ${unknown.length} of ${missing.length} downloads`] };
}

function lookAtDisks(fetches: readonly HostFetch[]): Finding {
  const disks = fetches.flatMap(({ host, disks: own }) => own.map((disk) => ({ host, ...disk })));
  const short = disks.filter(({ isShort }) => isShort);
  const unseen = fetches.filter(({ isLookedAt }) => !isLookedAt).map(({ host }) => host);
  const isWell = disks.length > 0 && short.length === 0;
  return {
    checked: isWell ? ["there is room on the disks for what is fetched, as far as its size is known"] : [],
    unknown: [
      ...short.map(
        ({ host, folder, neededBytes, freeBytes }) =>
          `${host}: ${folder} has ${formatBytes(freeBytes)} free, and what comes there has ${formatBytes(neededBytes)}: the \`up\` would end with disk-full`,
      ),
      ...(unseen.length === 0 ? [] : [`what ${foldNames(unseen)} has of downloads: all is counted as missing`]),
    ],
  };
}

function lookAtTimes(fetches: readonly HostFetch[]): Finding {
  const unknown = new Map<string, string[]>();
  for (const { host, origins } of fetches.filter(({ isLookedAt }) => isLookedAt))
    for (const { origin, bytesPerSecond } of origins)
      if (bytesPerSecond === undefined) unknown.set(origin, [...(unknown.get(origin) ?? []), host]);
  return {
    unknown: [...unknown].map(
      ([origin, hosts]) => `how fast ${foldNames(hosts)} fetches from ${origin}: nothing was measured there yet`,
    ),
  };
}

const loading: readonly PlannedStrategy["kind"][] = ["create", "blueGreen", "recreate", "replace", "repair"];

/** Of hosts that were not looked at nothing is said again. */
function lookAtLoads(deployments: readonly PlannedDeployment[], stores: HostStores): Finding {
  const unknown = deployments.flatMap(({ name, instances }) => {
    const unmeasured = instances.filter(
      ({ strategy, load }) => strategy !== undefined && loading.includes(strategy.kind) && load === undefined,
    );
    const placed = new Set(unmeasured.flatMap(({ after }) => after?.host ?? []));
    const hosts = [...placed].filter((host) => lookUp(stores, host) !== undefined).sort();
    return hosts.length === 0
      ? []
      : [`how long ${name} takes to load on ${foldNames(hosts)}: no such start was measured there yet`];
  });
  return { unknown };
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
