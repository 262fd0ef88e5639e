/** Chooses the best place that is free. */
import type { Bank, Fleet, Replica, Shape, Spot, SpotPart } from "./fleet.js";
import { compared, type Occupancy } from "./occupancy.js";
import { allowsHost, pickDevices } from "./room.js";
import { wishOf } from "./wish.js";

/**
 * `tight` leaves the least room unused (best fit); `first` takes the first host by name (first fit), `any` the first
 * that is found, where time counts; `wish` does what the deployment's strategy asks for.
 */
export type Manner = "tight" | "first" | "any" | "wish";

interface Candidate {
  readonly part: SpotPart;
  readonly score: number;
}

/** The best place with the first option that has one. */
export function findSpot(
  occupancy: Occupancy,
  replica: Replica,
  manner: Manner,
  shapes = replica.want.shapes,
): Spot | undefined {
  for (const shape of shapes) {
    const spot = findWith(occupancy, replica, shape, manner);
    if (spot !== undefined) return spot;
  }
  return undefined;
}

/** The same, where only some hosts can have room. */
export function findSpotOn(
  occupancy: Occupancy,
  replica: Replica,
  manner: Manner,
  hosts: readonly number[],
  shapes = replica.want.shapes,
): Spot | undefined {
  const { banksOf } = occupancy.fleet;
  for (const shape of shapes) {
    if (shape.hosts > 1) {
      const spot = findSeveral(occupancy, replica, shape, manner);
      if (spot !== undefined) return spot;
      continue;
    }
    let best: Candidate | undefined;
    for (const host of hosts)
      for (const bank of banksOf[host] ?? []) {
        if (shape.eligible[bank.index] !== 1) continue;
        const candidate = judge(occupancy, replica, shape, bank, manner);
        if (candidate !== undefined && (best === undefined || isBetter(candidate, best))) best = candidate;
      }
    if (best !== undefined) return { shape, parts: [best.part] };
  }
  return undefined;
}

/** The best place with one option. */
export function findWith(occupancy: Occupancy, replica: Replica, shape: Shape, manner: Manner): Spot | undefined {
  if (shape.hosts > 1) return findSeveral(occupancy, replica, shape, manner);
  let best: Candidate | undefined;
  let seen = 0;
  visit(occupancy, replica, shape, manner, (bank) => {
    const candidate = judge(occupancy, replica, shape, bank, manner);
    if (candidate === undefined) return false;
    if (best === undefined || isBetter(candidate, best)) best = candidate;
    seen += 1;
    return seen >= compared || manner === "first" || manner === "any";
  });
  return best === undefined ? undefined : { shape, parts: [best.part] };
}

function isBetter(a: Candidate, b: Candidate): boolean {
  return a.score < b.score || (a.score === b.score && a.part.bank.index < b.part.bank.index);
}

/** The best hosts of one type, each with its part. */
function findSeveral(occupancy: Occupancy, replica: Replica, shape: Shape, manner: Manner): Spot | undefined {
  const byType = new Map<Bank["type"], Candidate[]>();
  for (const bank of shape.banks) {
    const candidate = judge(occupancy, replica, shape, bank, manner);
    if (candidate === undefined) continue;
    const others = byType.get(bank.type);
    if (others === undefined) byType.set(bank.type, [candidate]);
    else others.push(candidate);
  }
  const enough = [...byType.values()].filter(({ length }) => length >= shape.hosts);
  const sets = enough.map((candidates) => candidates.sort((a, b) => (isBetter(a, b) ? -1 : 1)).slice(0, shape.hosts));
  const total = (candidates: readonly Candidate[]) => candidates.reduce((sum, { score }) => sum + score, 0);
  const [best] = sets.sort((a, b) => total(a) - total(b));
  const parts = best?.map(({ part }) => part).sort((a, b) => a.bank.host - b.bank.host);
  return parts === undefined ? undefined : { shape, parts };
}

/** Banks that may have room, in an order in which the first ones are good. */
function visit(
  occupancy: Occupancy,
  { want }: Replica,
  shape: Shape,
  manner: Manner,
  see: (bank: Bank) => boolean,
): void {
  const { banks } = shape;
  if (banks.length <= compared || manner === "first" || shape.devices === 0) {
    for (const bank of banks) if (see(bank)) return;
    return;
  }
  const roomy = manner === "any" || (manner === "wish" && want.demand.strategy === "spread");
  if (shape.devices === 1 && !roomy) visitDevices(occupancy, shape, see);
  else occupancy.visitBanks(shape, roomy ? "roomy" : "tight", shape.bytes, see);
}

function visitDevices(occupancy: Occupancy, shape: Shape, see: (bank: Bank) => boolean): void {
  const { banks, bankOf }: Fleet = occupancy.fleet;
  let last: Bank | undefined;
  occupancy.visitDevices(shape.bytes, (device) => {
    const bank = banks[bankOf[device] ?? -1];
    if (bank === undefined || bank === last || shape.eligible[bank.index] !== 1) return false;
    last = bank;
    return see(bank);
  });
}

function judge(
  occupancy: Occupancy,
  replica: Replica,
  shape: Shape,
  bank: Bank,
  manner: Manner,
): Candidate | undefined {
  if ((occupancy.bankFree[bank.index] ?? 0) < shape.bytes * shape.devices) return undefined;
  if (!allowsHost(occupancy, replica.want, shape, bank.host)) return undefined;
  const roomy = manner === "wish" && replica.want.demand.strategy === "spread";
  const order = roomy ? "roomy" : "tight";
  const linked = manner === "wish" && shape.devices > 1 && shape.groups === undefined;
  const together = linked ? pickDevices(occupancy, shape, bank, order, occupancy.fleet.links) : undefined;
  const devices = together ?? pickDevices(occupancy, shape, bank, order);
  if (devices === undefined) return undefined;
  const part = { bank, devices };
  if (manner === "wish") return { part, score: wishOf(occupancy, replica, part) };
  return { part, score: manner === "first" ? bank.index : leftOver(occupancy, devices) };
}

function leftOver({ free }: Occupancy, devices: readonly number[]): number {
  return devices.reduce((sum, device) => sum + (free[device] ?? 0), 0);
}
