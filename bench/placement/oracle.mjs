/**
 * The best plans there are, by HiGHS: the same problem as an integer program, from its form alone. Replicas of a
 * deployment that do not differ are counted, not named, so that there is less to prove.
 */
import loadHighs from "highs";

export const capable = (has, wants) => {
  if (wants === undefined) return true;
  if (has === undefined) return false;
  return "atLeast" in wants ? Number(has) >= Number(wants.atLeast) : wants.includes(has);
};
export const matches = (labels, selector) =>
  Object.entries(selector).every(([label, rule]) => {
    const has = labels[label];
    if (typeof rule === "string") return has === rule;
    if (Array.isArray(rule)) return rule.includes(has);
    return "exists" in rule ? rule.exists === (has !== undefined) : has === undefined || !rule.notIn.includes(has);
  });

/** An integer program that grows. */
class Program {
  rows = [];
  integers = new Map();

  variable(most) {
    const name = `v${this.integers.size}`;
    this.integers.set(name, most);
    return name;
  }

  row(terms, sign, value) {
    const used = terms.filter(([factor]) => factor !== 0);
    if (used.length > 0) this.rows.push(`r${this.rows.length}: ${expression(used)} ${sign} ${value}`);
  }

  /** @returns {string} in the LP format of CPLEX */
  maximise(terms) {
    const bounds = [...this.integers].map(([name, most]) => `0 <= ${name} <= ${most}`);
    return [
      "Maximize",
      `goal: ${expression(terms)}`,
      "Subject To",
      ...this.rows,
      "Bounds",
      ...bounds,
      "General",
      wrap([...this.integers.keys()]),
      "End",
    ].join("\n");
  }
}

/** Lines of the format are short. */
export function wrap(words) {
  const lines = [];
  for (let place = 0; place < words.length; place += 8) lines.push(words.slice(place, place + 8).join(" "));
  return lines.join("\n");
}

function expression(terms) {
  return wrap(terms.map(([factor, name]) => `${factor < 0 ? "-" : "+"} ${Math.abs(factor)} ${name}`));
}

/**
 * @param {import("../../src/planner/fleet/problem.js").FleetProblem} problem
 * @param {{ seconds: number, moreSeconds?: number }} limits for each of the questions, and for those after what is placed
 * @returns {Promise<import("./oracle.d.mts").Optimum>}
 */
export async function solve(problem, { seconds, moreSeconds = seconds }) {
  const highs = await loadHighs();
  const { program, goals } = formulate(problem);
  const best = {};
  for (const [name, terms] of goals) {
    if (terms.length === 0) {
      best[name] = 0;
      continue;
    }
    const { Status, ObjectiveValue } = highs.solve(program.maximise(terms), {
      time_limit: name.startsWith("placed") ? seconds : moreSeconds,
      mip_rel_gap: 0,
      mip_abs_gap: 0.5,
    });
    if (Status !== "Optimal") return { ...best, proven: false };
    best[name] = Math.round(ObjectiveValue);
    program.row(terms, ">=", best[name]);
  }
  return { ...best, proven: true };
}

/**
 * Between what the number of replicas of the greatest priority lies that can have a place, as far as HiGHS knows by then.
 *
 * @param {import("../../src/planner/fleet/problem.js").FleetProblem} problem
 * @param {{ seconds: number }} limits
 * @returns {Promise<{ least: number, most: number }>}
 */
export async function enclose(problem, { seconds }) {
  const { program, goals } = formulate(problem);
  const [[, terms]] = goals;
  const { least, most } = await maximise(program, terms, { time_limit: seconds, mip_rel_gap: 0, mip_abs_gap: 0.5 });
  return { least: Math.round(least), most: Math.floor(most + 1e-6) };
}

/** The solver hands back its bound only in its report. */
async function maximise(program, terms, options) {
  const lines = [];
  const highs = await loadHighs({ print: (line) => lines.push(line) });
  const { Columns } = highs.solve(program.maximise(terms), { ...options, output_flag: true, log_to_console: true });
  const report = lines.join("\n");
  const [least, most] = ["Primal", "Dual"].map((bound) =>
    Number(new RegExp(`${bound} bound +(\\S+)`).exec(report)?.[1]),
  );
  return { least, most, columns: Columns };
}

/** Bytes as MiB, with nothing rounded: small numbers are easier on a solver, and 3 MiB are too little for a replica. */
function formulate(problem) {
  const program = new Program();
  const hosts = problem.hosts.map((host) => ({ host, ram: [], count: [], once: new Map(), apart: new Map() }));
  const devices = problem.hosts.flatMap((host) =>
    host.devices.map((device) => ({ host, device, bytes: [], whole: [], users: [] })),
  );
  const priorities = [...new Set(problem.demands.map(({ priority = 0 }) => priority))].sort((a, b) => b - a);
  const goals = new Map([
    ...priorities.map((each) => [`placed ${each}`, []]),
    ["kept", []],
    ["stages", []],
    ["devices", []],
  ]);
  for (const demand of problem.demands) {
    const placed = [];
    const previous = (demand.previous ?? []).filter(({ replica }) => replica < demand.replicas);
    for (const option of demand.options) {
      const count = (terms, most) => {
        placed.push(...terms);
        goals.get(`placed ${demand.priority ?? 0}`).push(...terms);
        goals.get("stages").push(...terms.map(([factor, name]) => [-factor * option.stage, name]));
        goals
          .get("devices")
          .push(...terms.map(([factor, name]) => [-factor * option.devices * (option.hosts ?? 1), name]));
        return most;
      };
      addAnywhere(program, { demand, option, hosts, devices, count });
      for (const { parts } of previous)
        addHome(program, { demand, option, hosts, devices, count, parts, kept: goals.get("kept") });
    }
    program.row(placed, "<=", demand.replicas);
    // A replica goes home once.
    for (const { parts } of previous)
      program.row(
        goals
          .get("kept")
          .filter(([, , home]) => home === parts)
          .map(([factor, name]) => [factor, name]),
        "<=",
        1,
      );
  }
  addRooms(program, hosts, devices);
  addApart(program, problem.demands, hosts);
  return { program, goals };
}

/** Replicas that may be on any devices: how many on each host, and how many of their parts on each device. */
function addAnywhere(program, { demand, option, hosts, devices, count }) {
  const { hosts: wide = 1, sameGroup } = option;
  const types = option.devices === 0 ? [undefined] : [...new Set(devices.map(({ device }) => device.type))];
  for (const type of types) {
    const here = [];
    for (const place of hosts.filter(({ host }) => matches(host.labels, demand.hostSelector))) {
      const usable =
        option.devices === 0
          ? []
          : devices.filter(
              (each) => each.host === place.host && each.device.type === type && isUsable(demand, option, each),
            );
      const grouped = sameGroup === undefined || option.devices < 2 ? [usable] : groupsOf(usable, sameGroup);
      for (const group of grouped) {
        if (group.length < option.devices) continue;
        const parts = program.variable(demand.replicas);
        here.push(parts);
        takeHost(place, demand, option, parts);
        const on = group.map((each) => {
          const part = program.variable(demand.replicas);
          program.row(
            [
              [1, part],
              [-1, parts],
            ],
            "<=",
            0,
          );
          takeDevice(each, option, part, demand.replicas);
          return [1, part];
        });
        program.row([...on, [-option.devices, parts]], "=", 0);
      }
    }
    if (here.length === 0) continue;
    if (wide === 1) {
      for (const parts of here) count([[1, parts]]);
      continue;
    }
    const all = program.variable(demand.replicas);
    program.row([...here.map((parts) => [1, parts]), [-wide, all]], "=", 0);
    for (const parts of here)
      program.row(
        [
          [1, parts],
          [-1, all],
        ],
        "<=",
        0,
      );
    count([[1, all]]);
  }
}

/** A replica where it was, if it may be there. */
function addHome(program, { demand, option, hosts, devices, count, parts, kept }) {
  const found = parts.map(({ host, devices: ids }) => ({
    place: hosts.find((each) => each.host.name === host),
    on: devices.filter((each) => each.host.name === host && ids.includes(each.device.id)),
  }));
  const { hosts: wide = 1, sameGroup } = option;
  const right = found.every(({ place, on }) => {
    const grouped =
      sameGroup === undefined ||
      option.devices < 2 ||
      groupsOf(on, sameGroup).some((group) => group.length === on.length);
    return (
      place !== undefined &&
      matches(place.host.labels, demand.hostSelector) &&
      on.length === option.devices &&
      grouped &&
      on.every((each) => isUsable(demand, option, each))
    );
  });
  if (!right || found.length !== wide) return;
  const home = program.variable(1);
  for (const { place, on } of found) {
    takeHost(place, demand, option, home);
    for (const each of on) takeDevice(each, option, home, 1);
  }
  count([[1, home]]);
  kept.push([1, home, parts]);
}

function isUsable(demand, option, { host, device }) {
  const { acceleratorType, capability, exclusive, share, bytesPerDevice, devices, hosts = 1 } = option;
  const type = acceleratorType === undefined || device.type === acceleratorType;
  const whole = !(exclusive && device.hasOthers) && !(devices * hosts > 1 && device.isSlice);
  const named = demand.devices === undefined || demand.devices[host.name]?.includes(device.id);
  const enough = share === undefined || Math.floor(device.totalBytes * share) >= bytesPerDevice;
  return (
    type && whole && named && enough && capable(device.capability, capability) && device.freeBytes >= bytesPerDevice
  );
}

function groupsOf(devices, kind) {
  const groups = new Map();
  for (const each of devices) {
    const group = kind === "link" ? each.device.linkGroup : each.device.pcieGroup;
    if (group !== undefined) groups.set(group, [...(groups.get(group) ?? []), each]);
  }
  return [...groups.values()];
}

function takeHost({ ram, count, once, apart }, demand, option, name) {
  ram.push([mib(option.ramBytes), name]);
  count.push([1, name]);
  apart.set(demand.deployment, [...(apart.get(demand.deployment) ?? []), [1, name]]);
  if (option.oncePerHost !== undefined)
    once.set(option.oncePerHost, [...(once.get(option.oncePerHost) ?? []), [1, name]]);
}

function takeDevice({ device, bytes, whole, users }, option, name, most) {
  const { share, exclusive, bytesPerDevice } = option;
  bytes.push([mib(exclusive || share === undefined ? bytesPerDevice : Math.floor(device.totalBytes * share)), name]);
  (exclusive ? whole : users).push([1, name, most]);
}

function addRooms(program, hosts, devices) {
  for (const { host, ram, count, once } of hosts) {
    program.row(ram, "<=", mib(host.ramBytes));
    if (host.maxInstances !== undefined) program.row(count, "<=", host.maxInstances);
    for (const terms of once.values()) program.row(terms, "<=", 1);
  }
  for (const { device, bytes, whole, users } of devices) {
    program.row(bytes, "<=", mib(device.freeBytes));
    program.row(whole, "<=", 1);
    if (whole.length === 0) continue;
    const alone = program.variable(1);
    program.row([...whole.map(([factor, name]) => [factor, name]), [-1, alone]], "<=", 0);
    for (const [, name, most] of users)
      program.row(
        [
          [1, name],
          [most, alone],
        ],
        "<=",
        most,
      );
  }
}

function addApart(program, demands, hosts) {
  for (const demand of demands)
    for (const other of demand.apartFrom ?? [])
      for (const { apart } of hosts) {
        const [own, others] = [apart.get(demand.deployment) ?? [], apart.get(other) ?? []];
        if (own.length === 0 || others.length === 0) continue;
        if (other === demand.deployment) program.row(own, "<=", 1);
        else {
          const which = program.variable(1);
          const most = (name) => demands.find(({ deployment }) => deployment === name)?.replicas ?? 0;
          program.row([...own, [-most(demand.deployment), which]], "<=", 0);
          program.row([...others, [most(other), which]], "<=", most(other));
        }
      }
}

function mib(bytes) {
  return bytes / 2 ** 20;
}
