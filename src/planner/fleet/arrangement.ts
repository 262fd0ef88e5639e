import { byText } from "./by-text.js";
import type { Bank, Fleet, Want } from "./fleet.js";
import { Homes } from "./homes.js";
import type { Demand, FleetDevice, FleetHost, FleetProblem, PlacementOption } from "./problem.js";
import { Shaper } from "./shaper.js";

/** Puts a problem into numbers. Everything is sorted by name, so the order of the input is lost. */
export function arrangeFleet({ hosts: unsorted, demands }: FleetProblem): Fleet {
  const hosts = [...unsorted].sort((a, b) => byText(a.name, b.name));
  const { devices, banks, bankOf, banksOf } = arrangeDevices(hosts);
  const shaper = new Shaper(hosts, devices, banks);
  const sorted = [...demands].sort((a, b) => byText(a.deployment, b.deployment));
  const wants = arrangeWants(sorted, shaper);
  const known = new Homes(hosts, devices, banksOf);
  const replicas = wants.flatMap((want) =>
    Array.from({ length: want.demand.replicas }, (_, number) => {
      return { number, want, isGuest: false, homes: known.of(want, number) };
    }),
  );
  const guests = wants.flatMap((want) =>
    Array.from({ length: want.demand.surge ?? 0 }, (_, more) => {
      return { number: want.demand.replicas + more, want, isGuest: true, homes: [] };
    }),
  );
  const tenants = [...replicas, ...guests].map((each, index) => ({ index, ...each }));
  const shapeOf: Fleet["shapeOf"] = (demand, option) => shaper.shapeOf(demand, option);
  const links = Int32Array.from(devices, ({ linkGroup = -1 }) => linkGroup);
  const all = { tenants, replicas: tenants.slice(0, replicas.length) };
  return { hosts, devices, banks, bankOf, links, banksOf, wants, ...all, shapeOf, ranks: rankPriorities(sorted).size };
}

function arrangeDevices(hosts: readonly FleetHost[]): Pick<Fleet, "devices" | "banks" | "bankOf" | "banksOf"> {
  const devices: FleetDevice[] = [];
  const banks: Bank[] = [];
  const banksOf = hosts.map((host, index) => {
    const own = [...host.devices].sort(compareDevices);
    const types = [undefined, ...new Set(own.map(({ type }) => type))];
    return types.map((type) => {
      const first = devices.length;
      devices.push(...own.filter((device) => device.type === type));
      const bank = { index: banks.length, host: index, type, first, end: devices.length };
      banks.push(bank);
      return bank;
    });
  });
  const bankOf = new Int32Array(devices.length);
  for (const { index, first, end } of banks) bankOf.fill(index, first, end);
  return { devices, banks, bankOf, banksOf };
}

function compareDevices(a: FleetDevice, b: FleetDevice): number {
  const groups = (a.linkGroup ?? -1) - (b.linkGroup ?? -1) || (a.pcieGroup ?? -1) - (b.pcieGroup ?? -1);
  return byText(a.type, b.type) || groups || byText(a.id, b.id);
}

function rankPriorities(demands: readonly Demand[]): ReadonlyMap<number, number> {
  const priorities = [...new Set(demands.map(({ priority = 0 }) => priority))].sort((a, b) => b - a);
  return new Map(priorities.map((priority, rank) => [priority, rank]));
}

function arrangeWants(demands: readonly Demand[], shaper: Shaper): Want[] {
  const ranks = rankPriorities(demands);
  const indexes = new Map(demands.map(({ deployment }, index) => [deployment, index]));
  const apart = demands.map(() => new Set<number>());
  demands.forEach(({ apartFrom = [] }, index) => {
    for (const other of apartFrom.flatMap((name) => indexes.get(name) ?? [])) {
      apart[index]?.add(other);
      apart[other]?.add(index);
    }
  });
  return demands.map((demand, index) => {
    const rank = ranks.get(demand.priority ?? 0) ?? 0;
    const shapes = [...demand.options].sort(compareOptions).map((option) => shaper.shapeOf(demand, option));
    const frugal = [...shapes].sort((a, b) => a.weightBytes - b.weightBytes);
    return { index, demand, rank, shapes, frugal, apart: apart[index] ?? new Set() };
  });
}

function compareOptions(a: PlacementOption, b: PlacementOption): number {
  const devices = ({ hosts = 1, devices: each }: PlacementOption) => hosts * each;
  return a.stage - b.stage || devices(a) - devices(b) || (a.hosts ?? 1) - (b.hosts ?? 1) || byText(a.name, b.name);
}
