import type { Fleet, Spot, SpotPart, Want } from "./fleet.js";
import type { FleetDevice, FleetHost, PlacedPart } from "./problem.js";

/** Finds the places where replicas were, by the names of hosts and devices. */
export class Homes {
  private readonly hosts: ReadonlyMap<string, number>;

  constructor(
    hosts: readonly FleetHost[],
    private readonly devices: readonly FleetDevice[],
    private readonly banksOf: Fleet["banksOf"],
  ) {
    this.hosts = new Map(hosts.map(({ name }, index) => [name, index]));
  }

  of(want: Want, number: number): Spot[] {
    const before = want.demand.previous?.find(({ replica }) => replica === number);
    if (before === undefined) return [];
    const found = before.parts.map((part) => this.partOf(part));
    const parts = found.flatMap((part) => part ?? []).sort((a, b) => a.bank.host - b.bank.host);
    if (parts.length !== found.length) return [];
    return want.shapes
      .filter(({ hosts, devices, eligible }) => {
        const alike = parts.every((part) => part.devices.length === devices && eligible[part.bank.index] === 1);
        return hosts === parts.length && alike;
      })
      .sort((a, b) => Number(b.option.name === before.option) - Number(a.option.name === before.option))
      .map((shape) => ({ shape, parts }));
  }

  private partOf({ host, devices }: PlacedPart): SpotPart | undefined {
    const banks = this.banksOf[this.hosts.get(host) ?? -1] ?? [];
    for (const bank of banks) {
      const found: number[] = [];
      for (let device = bank.first; device < bank.end; device += 1)
        if (devices.includes(this.devices[device]?.id ?? "")) found.push(device);
      if (found.length === devices.length && found.length > 0 === (bank.type !== undefined))
        return { bank, devices: found };
    }
    return undefined;
  }
}
