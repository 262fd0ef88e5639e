/**
 * How many replicas can have a place at most in a fleet that is too large to be solved: the linear program over all ways to
 * fill a device (Gilmore and Gomory 1961), with RAM, instances and replicas that are to be apart for each host. Where there
 * are many hosts, those that are alike count as one. Left out: that a replica's devices are on one host or in one group,
 * what is to be apart from another deployment, and what is once on a host. Ways to fill a device are found by a knapsack
 * at the program's prices. Whatever the prices are, no plan places more than they come to, so it may end before it is done.
 */
import loadHighs from "highs";

import { capable, matches, wrap } from "./oracle.mjs";

/** Needs are rounded down to it. */
const unitBytes = 64 * 2 ** 20;
/** Replicas between the bound and what the program comes to with the ways that are known. */
const closeEnough = 0.05;
/** Numbers of hosts up to which each is by itself. */
const hostsAtMost = 70;

/**
 * @param {import("../../src/planner/fleet/problem.js").FleetProblem} problem of one priority, with nothing placed before
 * @param {{ iterations: number }} limits
 * @returns {Promise<number>} no plan places more
 */
export async function boundByDevices({ hosts, demands }, { iterations }) {
  const highs = await loadHighs();
  const { kinds, crews } = kindsOf(hosts);
  const asked = demands.flatMap((demand, owner) => waysOf(demand, owner));
  const parts = kinds.map((kind) => asked.flatMap((way, index) => partOf(way, index, kind)));
  const patterns = kinds.map(() => []);
  const apart = demands.flatMap((demand, owner) => (isApart(demand) ? [owner] : []));
  // For each crew: its RAM, its instances, and its hosts for each deployment whose replicas are to be apart.
  const limits = crews.map(({ ramBytes, instances, hosts: count }) => [
    ramBytes / 2 ** 30,
    instances,
    ...apart.map(() => count),
  ]);
  const width = 2 + apart.length;
  for (const way of asked) way.takes = takesOf(way, apart);
  const total = kinds.reduce((sum, { count, freeBytes }) => sum + count * freeBytes, 0);
  const first = demands.reduce((sum, { replicas }) => sum + replicas, 0);
  let best = first;
  let centre = [...asked.map(({ option }) => (first * option.bytesPerDevice) / total), ...limits.flat().map(() => 0)];
  for (let iteration = 0; iteration < iterations; iteration += 1) {
    const master = solveMaster(highs, { demands, asked, kinds, limits, patterns });
    const share = iteration === 0 ? 0 : iteration % 3 === 0 ? 0.9 : 0.4;
    const prices = master.prices.map((price, index) => share * price + (1 - share) * centre[index]);
    const [own, beside] = [prices.slice(0, asked.length), (crew) => asked.length + width * crew];
    let bound = surplusOf(demands, asked, own);
    limits.forEach((limit, crew) =>
      limit.forEach((most, place) => (bound += most === Infinity ? 0 : most * prices[beside(crew) + place])),
    );
    kinds.forEach(({ count, units, crew }, kind) => {
      const from = beside(crew);
      const values = asked.map(({ takes }, index) =>
        takes.reduce((value, [place, much]) => value - much * prices[from + place], own[index]),
      );
      const { value, pattern } = fillDevice(parts[kind], values, units);
      bound += count * value;
      patterns[kind].push(pattern);
    });
    if (bound < best || iteration === 0) centre = prices;
    best = Math.min(best, bound);
    if (best - master.known < closeEnough) break;
  }
  return best;
}

/** Devices that do not differ, on hosts that have the same labels and as many devices. */
function kindsOf(hosts) {
  const [kinds, crews] = [new Map(), new Map()];
  for (const host of hosts) {
    const { name, labels, maxInstances = Infinity, ramBytes } = host;
    const like =
      hosts.length <= hostsAtMost ? name : JSON.stringify([labels, host.devices.length, maxInstances < Infinity]);
    const crew = crews.get(like) ?? { index: crews.size, hosts: 0, ramBytes: 0, instances: 0 };
    crew.hosts += 1;
    crew.ramBytes += ramBytes;
    crew.instances += maxInstances;
    crews.set(like, crew);
    for (const device of host.devices) {
      const groups = ["linkGroup", "pcieGroup"].map((group) => largestGroup(host, group));
      const units = Math.ceil(device.freeBytes / unitBytes);
      const { type, capability, totalBytes, hasOthers = false } = device;
      const key = JSON.stringify([crew.index, groups, type, capability, totalBytes, units, hasOthers]);
      const kind = kinds.get(key) ?? { host, device, units, groups, count: 0, freeBytes: 0, crew: crew.index };
      kind.count += 1;
      kind.freeBytes = Math.max(kind.freeBytes, device.freeBytes);
      kinds.set(key, kind);
    }
  }
  return { kinds: [...kinds.values()], crews: [...crews.values()] };
}

function largestGroup({ devices }, group) {
  const counts = new Map();
  for (const device of devices)
    if (device[group] !== undefined) counts.set(device[group], (counts.get(device[group]) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}

function waysOf(demand, owner) {
  return demand.options.map((option) => ({
    demand,
    owner,
    option,
    needs: (option.hosts ?? 1) * option.devices,
    copies: isApart(demand) ? 1 : demand.replicas,
  }));
}

/** By limit: what each device of an instance takes of what its host has beside devices. */
function takesOf({ owner, option: { devices, ramBytes } }, apart) {
  if (devices === 0) return [];
  const place = apart.indexOf(owner);
  const takes = [
    [0, ramBytes / 2 ** 30 / devices],
    [1, 1 / devices],
  ];
  return place < 0 ? takes : [...takes, [2 + place, 1 / devices]];
}

function isApart({ deployment, apartFrom }) {
  return apartFrom?.includes(deployment) === true;
}

/** What one device of a kind gives to a way, if it may. */
function partOf({ demand, option, copies }, index, { host, device, units, groups, freeBytes }) {
  const { acceleratorType, capability, exclusive, share, bytesPerDevice, devices, hosts = 1, sameGroup } = option;
  const claim = share === undefined ? bytesPerDevice : Math.floor(device.totalBytes * share);
  const together = sameGroup === undefined || devices < 2 || groups[Number(sameGroup === "pcie")] >= devices;
  const isRight =
    devices > 0 &&
    devices <= host.devices.length &&
    together &&
    claim >= bytesPerDevice &&
    claim <= freeBytes &&
    (acceleratorType === undefined || device.type === acceleratorType) &&
    capable(device.capability, capability) &&
    !(exclusive && device.hasOthers) &&
    !(devices * hosts > 1 && device.isSlice) &&
    matches(host.labels, demand.hostSelector);
  return isRight ? [{ index, copies, units: exclusive ? units : Math.floor(claim / unitBytes) }] : [];
}

/** The best mix of the ways to fill devices that are known; prices of a part of each way, and of a device of each kind. */
function solveMaster(highs, { demands, asked, kinds, limits, patterns }) {
  const rows = {
    limits: limits.map((own) => own.map(() => [])),
    owner: demands.map(() => []),
    way: asked.map(() => []),
    kind: kinds.map(() => []),
  };
  asked.forEach(({ owner, needs }, index) => {
    rows.owner[owner].push(`+ x${index}`);
    if (needs > 0) rows.way[index].push(`+ ${needs} x${index}`);
  });
  patterns.forEach((own, kind) =>
    own.forEach((pattern, place) => {
      const name = `p${kind}_${place}`;
      rows.kind[kind].push(`+ ${name}`);
      const taken = new Map();
      for (const [index, count] of pattern)
        for (const [place, much] of asked[index].takes) taken.set(place, (taken.get(place) ?? 0) + count * much);
      for (const [place, much] of taken) rows.limits[kinds[kind].crew][place].push(`+ ${much} ${name}`);
      for (const [index, count] of pattern) rows.way[index].push(`- ${count} ${name}`);
    }),
  );
  const terms = asked.map((_, index) => `+ x${index}`);
  const program = [
    "Maximize",
    `goal: ${wrap(terms)}`,
    "Subject To",
    ...rows.owner.map((row, index) => `o${index}: ${wrap(row)} <= ${demands[index].replicas}`),
    ...rows.kind.map((row, index) => `k${index}: ${wrap(row)} <= ${kinds[index].count}`),
    ...rows.limits.flatMap((own, crew) =>
      own.flatMap((row, place) =>
        row.length === 0 || limits[crew][place] === Infinity
          ? []
          : [`l${crew}_${place}: ${wrap(row)} <= ${limits[crew][place]}`],
      ),
    ),
    ...rows.way.flatMap((row, index) => (row.length === 0 ? [] : [`w${index}: ${wrap(row)} <= 0`])),
    "End",
  ].join("\n");
  const { Rows, ObjectiveValue } = highs.solve(program, {});
  const duals = new Map(Rows.map(({ Name, Dual }) => [Name, Math.max(0, Dual)]));
  const dual = (name) => duals.get(name) ?? 0;
  return {
    known: ObjectiveValue,
    prices: [
      ...asked.map((_, index) => dual(`w${index}`)),
      ...limits.flatMap((own, crew) => own.map((_, place) => dual(`l${crew}_${place}`))),
    ],
  };
}

/** What all replicas come to that are worth more than their parts. */
function surplusOf(demands, asked, prices) {
  const most = demands.map(() => 0);
  asked.forEach(({ owner, needs }, index) => (most[owner] = Math.max(most[owner], 1 - needs * prices[index])));
  return demands.reduce((sum, { replicas }, owner) => sum + replicas * most[owner], 0);
}

/** The parts on one device that are worth most: a knapsack. */
function fillDevice(parts, prices, units) {
  const worthy = parts.filter(({ index }) => prices[index] > 1e-9);
  const items = worthy.flatMap((part) =>
    Array.from({ length: Math.min(part.copies, Math.floor(units / Math.max(1, part.units))) }, () => part),
  );
  const values = new Float64Array(units + 1);
  const taken = items.map(({ units: size, index }) => {
    const chosen = new Uint8Array(units + 1);
    for (let room = units; room >= size; room -= 1) {
      const value = values[room - size] + prices[index];
      if (value <= values[room] + 1e-12) continue;
      values[room] = value;
      chosen[room] = 1;
    }
    return chosen;
  });
  const pattern = new Map();
  for (let place = items.length - 1, room = units; place >= 0; place -= 1) {
    if (taken[place][room] !== 1) continue;
    const { index, units: size } = items[place];
    pattern.set(index, (pattern.get(index) ?? 0) + 1);
    room -= size;
  }
  return { value: values[units], pattern };
}
