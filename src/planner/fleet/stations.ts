import type { Chance } from "./chance.js";
import type { Bank, Fleet } from "./fleet.js";

/** A device to be filled, or after all devices of a host what needs none. */
export interface Station {
  readonly bank: Bank;
  /** -1 for none. */
  readonly device: number;
}

/** Host after host, in some order. */
export function orderStations({ hosts, banksOf }: Fleet, chance: Chance): Station[] {
  const ordered = hosts
    .map((_, host) => ({ host, key: chance.below(1 << 20) }))
    .sort((a, b) => a.key - b.key || a.host - b.host);
  return ordered.flatMap(({ host }) => {
    const [none, ...banks] = banksOf[host] ?? [];
    const filled = banks.flatMap((bank) =>
      Array.from({ length: bank.end - bank.first }, (_, place) => ({ bank, device: bank.first + place })),
    );
    return none === undefined ? filled : [...filled, { bank: none, device: -1 }];
  });
}
