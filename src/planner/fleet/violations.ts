/**
 * Checks a plan against its problem, by counting it up anew. It shares the form of the two with the planner and nothing
 * else, so that a mistake has to be made twice to stay unseen.
 */
import type {
  Demand,
  FleetDevice,
  FleetHost,
  FleetPlan,
  FleetProblem,
  PlacementOption,
  PlacedPart,
} from "./problem.js";

interface Placed {
  readonly name: string;
  readonly demand: Demand;
  readonly option: PlacementOption;
  readonly parts: readonly { readonly host: FleetHost; readonly devices: readonly FleetDevice[] }[];
}

/** What is wrong with a plan, a sentence each; nothing for one that holds. Pure. */
export function findViolations(problem: FleetProblem, plan: FleetPlan): string[] {
  const found: string[] = [];
  const placed = plan.instances.flatMap((instance) => resolve(problem, instance, found));
  for (const each of placed) found.push(...checkInstance(each));
  for (const host of problem.hosts) found.push(...checkHost(host, placed));
  return [...found, ...checkCounts(problem, plan), ...checkKept(problem, plan)];
}

function resolve(problem: FleetProblem, instance: FleetPlan["instances"][number], found: string[]): Placed[] {
  const name = `${instance.deployment}-${instance.replica}`;
  const demand = problem.demands.find(({ deployment }) => deployment === instance.deployment);
  const option = demand?.options.find((each) => each.name === instance.option);
  const parts = instance.parts.map((part) => resolvePart(problem, part));
  const known = parts.flatMap((part) => part ?? []);
  if (demand !== undefined && option !== undefined && known.length === parts.length)
    return [{ name, demand, option, parts: known }];
  found.push(`${name}: its deployment, option, host or device is not in the problem`);
  return [];
}

function resolvePart({ hosts }: FleetProblem, part: PlacedPart) {
  const host = hosts.find(({ name }) => name === part.host);
  const devices = part.devices.map((id) => host?.devices.find((device) => device.id === id));
  const known = devices.flatMap((device) => device ?? []);
  return host === undefined || known.length < devices.length ? undefined : { host, devices: known };
}

function checkInstance({ name, demand, option, parts }: Placed): string[] {
  const found: string[] = [];
  const devices = parts.flatMap((part) => part.devices);
  const expect = (holds: boolean, what: string) => {
    if (!holds) found.push(`${name}: ${what}`);
  };
  expect(parts.length === (option.hosts ?? 1), "on another number of hosts than its option");
  expect(new Set(parts.map(({ host }) => host.name)).size === parts.length, "twice on a host");
  expect(new Set(devices.map(({ type }) => type)).size <= 1, "on devices of several types");
  expect(devices.length < 2 || devices.every(({ isSlice = false }) => !isSlice), "on a slice and another device");
  for (const part of parts) {
    expect(part.devices.length === option.devices, "on another number of devices than its option");
    expect(new Set(part.devices.map(({ id }) => id)).size === part.devices.length, "twice on a device");
    expect(matches(demand, part.host), "on a host without its labels");
    expect(isTogether(option, part.devices), "on devices of several groups");
  }
  for (const device of devices) {
    const { type, capability, totalBytes } = device;
    expect(option.acceleratorType === undefined || type === option.acceleratorType, "on another accelerator type");
    expect(isCapable(capability, option.capability), "on a device without the capability");
    expect(option.exclusive !== true || device.hasOthers !== true, "not alone on a device");
    const share = option.share === undefined ? Infinity : Math.floor(totalBytes * option.share);
    expect(share >= option.bytesPerDevice, "its share is less than it needs");
  }
  if (demand.devices !== undefined)
    for (const { host, devices: own } of parts) {
      const named = Object.entries(demand.devices).find(([each]) => each === host.name)?.[1];
      expect(named !== undefined && own.every(({ id }) => named.includes(id)), "not on the devices that were named");
    }
  return found;
}

function isTogether({ sameGroup, devices: count }: PlacementOption, devices: readonly FleetDevice[]): boolean {
  if (sameGroup === undefined || count < 2) return true;
  const groups = new Set(devices.map((each) => (sameGroup === "link" ? each.linkGroup : each.pcieGroup)));
  return groups.size === 1 && !groups.has(undefined);
}

function isCapable(has: string | undefined, wants: PlacementOption["capability"]): boolean {
  if (wants === undefined) return true;
  if (has === undefined) return false;
  if (!("atLeast" in wants)) return wants.some((each) => each === has);
  const [own, least] = [has, wants.atLeast].map((text) => text.split(".").map((part) => part.padStart(6, "0")));
  return (own ?? []).join(".") >= (least ?? []).join(".");
}

function matches({ hostSelector }: Demand, { labels }: FleetHost): boolean {
  return Object.entries(hostSelector).every(([label, rule]) => {
    const has = Object.entries(labels).find(([name]) => name === label)?.[1];
    if (typeof rule === "string") return has === rule;
    if (Array.isArray(rule)) return rule.some((value) => value === has);
    if ("exists" in rule) return rule.exists === (has !== undefined);
    return has === undefined || rule.notIn.every((value) => value !== has);
  });
}

function checkHost(host: FleetHost, placed: readonly Placed[]): string[] {
  const found: string[] = [];
  const here = placed.filter(({ parts }) => parts.some((part) => part.host === host));
  const ram = here.reduce((sum, { option }) => sum + option.ramBytes, 0);
  if (here.length > 0 && ram > host.ramBytes) found.push(`host ${host.name}: ${ram} bytes of RAM are given out`);
  if (here.length > (host.maxInstances ?? Infinity)) found.push(`host ${host.name}: ${here.length} instances`);
  for (const [place, one] of here.entries())
    for (const other of here.slice(place + 1)) found.push(...checkPair(host, one, other));
  for (const device of host.devices) found.push(...checkDevice(host, device, here));
  return found;
}

function checkPair(host: FleetHost, one: Placed, other: Placed): string[] {
  const where = `host ${host.name}: ${one.name} beside ${other.name}`;
  const apart = (a: Placed, b: Placed) => (a.demand.apartFrom ?? []).includes(b.demand.deployment);
  const { oncePerHost } = one.option;
  return [
    ...(apart(one, other) || apart(other, one) ? [`${where}, though they are to be apart`] : []),
    ...(oncePerHost !== undefined && oncePerHost === other.option.oncePerHost ? [`${where}, both ${oncePerHost}`] : []),
  ];
}

function checkDevice(host: FleetHost, device: FleetDevice, here: readonly Placed[]): string[] {
  const users = here.filter(({ parts }) => parts.some((part) => part.devices.includes(device)));
  const bytes = users.reduce((sum, { option: { share, bytesPerDevice } }) => {
    return sum + (share === undefined ? bytesPerDevice : Math.floor(device.totalBytes * share));
  }, 0);
  const alone = users.some(({ option }) => option.exclusive === true);
  return [
    ...(bytes > device.freeBytes && users.length > 0
      ? [`${host.name} ${device.id}: ${bytes} bytes are given out`]
      : []),
    ...(alone && users.length > 1 ? [`${host.name} ${device.id}: not alone`] : []),
  ];
}

/** Each replica is placed once or refused once. */
function checkCounts({ demands }: FleetProblem, { instances, refusals }: FleetPlan): string[] {
  return demands.flatMap(({ deployment, replicas }) => {
    const placed = instances.filter((each) => each.deployment === deployment).map(({ replica }) => replica);
    const refused = refusals.filter((each) => each.deployment === deployment).flatMap((each) => each.replicas);
    const all = [...placed, ...refused].sort((a, b) => a - b);
    const right = all.length === replicas && all.every((replica, place) => replica === place);
    return right ? [] : [`${deployment}: ${placed.length} placed and ${refused.length} refused of ${replicas}`];
  });
}

function checkKept({ demands }: FleetProblem, { instances }: FleetPlan): string[] {
  const text = (parts: readonly PlacedPart[]) =>
    parts
      .map(({ host, devices }) => [host, ...[...devices].sort()].join(" "))
      .sort()
      .join("\n");
  return instances.flatMap(({ deployment, replica, parts, kept }) => {
    const { previous = [] } = demands.find((each) => each.deployment === deployment) ?? {};
    const before = previous.find((each) => each.replica === replica);
    const stayed = before !== undefined && text(before.parts) === text(parts);
    return stayed === kept ? [] : [`${deployment}-${replica}: it is said to be ${kept ? "" : "not "}where it was`];
  });
}
