/** First fit and best fit decreasing, as anybody would write them: what a planner has to be better than. */

/**
 * @param {import("../../src/planner/fleet/problem.js").FleetProblem} problem
 * @param {"first" | "best"} fit
 * @returns {number} how many replicas have a place
 */
export function placeDecreasing({ hosts, demands }, fit) {
  const places = hosts.map((host) => ({
    host,
    ram: host.ramBytes,
    tenants: [],
    devices: host.devices.map((device) => ({ device, free: device.freeBytes, users: 0 })),
  }));
  const least = (demand) => Math.min(...demand.options.map(sizeOf));
  const sorted = demands
    .flatMap((demand) => Array.from({ length: demand.replicas }, () => demand))
    .sort((a, b) => (b.priority ?? 0) - (a.priority ?? 0) || least(b) - least(a));
  return sorted.filter((demand) => placeOne(places, demand, fit)).length;
}

function placeOne(places, demand, fit) {
  const options = [...demand.options].sort((a, b) => a.stage - b.stage || a.devices - b.devices);
  for (const option of options) {
    const found = [];
    for (const place of places) {
      const devices = allows(place, demand, option) ? chooseDevices(place, option, fit) : undefined;
      if (devices !== undefined) found.push({ place, devices });
      if (fit === "first" && found.length === (option.hosts ?? 1)) break;
    }
    const left = ({ devices }) => devices.reduce((sum, { free }) => sum + free, 0);
    if (found.length < (option.hosts ?? 1)) continue;
    if (fit === "best") found.sort((a, b) => left(a) - left(b));
    for (const { place, devices } of found.slice(0, option.hosts ?? 1)) take(place, devices, demand, option);
    return true;
  }
  return false;
}

function allows({ host, ram, tenants }, demand, option) {
  const apart = (a, b) => a.apartFrom?.includes(b.deployment) === true;
  return (
    ram >= option.ramBytes &&
    tenants.length < (host.maxInstances ?? Infinity) &&
    matches(host.labels, demand.hostSelector) &&
    tenants.every(
      (other) =>
        !apart(demand, other.demand) &&
        !apart(other.demand, demand) &&
        (option.oncePerHost === undefined || option.oncePerHost !== other.option.oncePerHost),
    )
  );
}

function chooseDevices({ devices }, option, fit) {
  if (option.devices === 0) return [];
  const usable = devices.filter((each) => admits(each, option));
  if (fit === "best") usable.sort((a, b) => a.free - b.free);
  if (option.sameGroup === undefined || option.devices === 1)
    return usable.length < option.devices ? undefined : usable.slice(0, option.devices);
  const key = ({ device }) => (option.sameGroup === "link" ? device.linkGroup : device.pcieGroup);
  const groups = [...new Set(usable.map(key))].filter((group) => group !== undefined);
  const enough = groups
    .map((group) => usable.filter((each) => key(each) === group))
    .find((each) => each.length >= option.devices);
  return enough?.slice(0, option.devices);
}

function admits({ device, free, users }, { acceleratorType, capability, exclusive, share, bytesPerDevice }) {
  const capable = capability === undefined || Number(device.capability) >= Number(capability.atLeast);
  const enough =
    share === undefined ||
    (device.totalBytes * share >= bytesPerDevice && free >= Math.floor(device.totalBytes * share));
  const alone = exclusive !== true || (users === 0 && device.hasOthers !== true);
  return device.type === acceleratorType && capable && enough && alone && free >= bytesPerDevice;
}

function take(place, devices, demand, option) {
  place.ram -= option.ramBytes;
  place.tenants.push({ demand, option });
  for (const each of devices) {
    each.users += 1;
    if (option.exclusive) each.free = 0;
    else
      each.free -=
        option.share === undefined ? option.bytesPerDevice : Math.floor(each.device.totalBytes * option.share);
  }
}

function matches(labels, selector) {
  return Object.entries(selector).every(([label, rule]) => {
    const has = labels[label];
    if (typeof rule === "string") return has === rule;
    if (Array.isArray(rule)) return rule.includes(has);
    return "exists" in rule ? rule.exists === (has !== undefined) : !rule.notIn.includes(has);
  });
}

function sizeOf({ hosts = 1, devices, bytesPerDevice }) {
  return hosts * devices * bytesPerDevice;
}
