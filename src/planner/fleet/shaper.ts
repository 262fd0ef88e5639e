import { unmetBy } from "../selector.js";
import { byText } from "./by-text.js";
import { meetsCapability } from "./capability.js";
import type { Bank, Shape } from "./fleet.js";
import type { Demand, FleetDevice, FleetHost, PlacementOption } from "./problem.js";

/** Makes shapes. What several of them have in common is made once. */
export class Shaper {
  private readonly selectors = new Map<Demand["hostSelector"], string>();
  private readonly fitting = new Map<string, Uint8Array>();
  private readonly usable = new Map<string, Uint8Array>();
  private readonly eligible = new Map<string, { eligible: Uint8Array; banks: readonly Bank[] }>();
  private readonly groups = new Map<string, Int32Array>();

  constructor(
    private readonly hosts: readonly FleetHost[],
    private readonly devices: readonly FleetDevice[],
    private readonly banks: readonly Bank[],
  ) {}

  shapeOf(demand: Demand, option: PlacementOption): Shape {
    const { devices, hosts = 1, bytesPerDevice: bytes, sameGroup } = option;
    const weightBytes = hosts * (devices === 0 ? 0 : devices * bytes);
    const groups = sameGroup === undefined || devices < 2 ? undefined : this.groupsBy(sameGroup);
    const usable = this.usableBy(demand, option);
    return { option, devices, hosts, bytes, weightBytes, usable, groups, ...this.banksFor(demand, option) };
  }

  private banksFor(demand: Demand, { devices, acceleratorType }: PlacementOption) {
    const named = demand.devices === undefined ? "" : Object.keys(demand.devices).sort().join(" ");
    // One may name a thousand hosts.
    const selector = once(this.selectors, demand.hostSelector, () => selectorKey(demand));
    const type = devices === 0 ? undefined : acceleratorType;
    return once(this.eligible, `${selector}\n${devices === 0} ${type ?? ""} ${named}`, () => {
      const fits = once(this.fitting, selector, () =>
        Uint8Array.from(this.hosts, ({ labels }) => Number(unmetBy(labels, demand.hostSelector).length === 0)),
      );
      const banks = this.banks.filter((bank) => {
        const right = devices === 0 ? bank.type === undefined : bank.type !== undefined;
        const isNamed =
          demand.devices === undefined || Object.hasOwn(demand.devices, this.hosts[bank.host]?.name ?? "");
        return right && (type === undefined || bank.type === type) && fits[bank.host] === 1 && isNamed;
      });
      const eligible = new Uint8Array(this.banks.length);
      for (const { index } of banks) eligible[index] = 1;
      return { eligible, banks };
    });
  }

  private usableBy({ devices: named }: Demand, option: PlacementOption): Uint8Array {
    const { capability, exclusive = false, devices, hosts = 1 } = option;
    const several = devices * hosts > 1;
    const key = JSON.stringify([capability, exclusive, several, named]);
    return once(this.usable, key, () => {
      const names = this.banks.flatMap(({ host, first, end }) =>
        Array.from({ length: end - first }, () => this.hosts[host]?.name ?? ""),
      );
      return Uint8Array.from(this.devices, (device, index) => {
        const whole = !(exclusive && device.hasOthers === true) && !(several && device.isSlice === true);
        const isNamed = named === undefined || (named[names[index] ?? ""] ?? []).includes(device.id);
        return Number(whole && isNamed && meetsCapability(device.capability, capability));
      });
    });
  }

  private groupsBy(kind: "link" | "pcie"): Int32Array {
    return once(this.groups, kind, () =>
      Int32Array.from(this.devices, (each) => (kind === "link" ? each.linkGroup : each.pcieGroup) ?? -1),
    );
  }
}

function selectorKey({ hostSelector }: Demand): string {
  return JSON.stringify(Object.entries(hostSelector).sort(([a], [b]) => byText(a, b)));
}

function once<K, T>(known: Map<K, T>, key: K, make: () => T): T {
  const before = known.get(key);
  if (before !== undefined) return before;
  const made = make();
  known.set(key, made);
  return made;
}
