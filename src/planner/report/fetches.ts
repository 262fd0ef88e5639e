/** What hosts have to fetch before anything starts, how long that takes, and the room that it needs. */
import type { Fetched, HostFetch } from "../../schema/plan.js";
import { total, type Need } from "./needs.js";
import { rateFrom, type Disk, type HostStores } from "./stores.js";

/** Each download once, with the hosts that need it. The largest first; those of unknown size after them. */
export function fetchesOf(needs: readonly Need[]): Fetched[] {
  const byContent = new Map<string, Fetched>();
  for (const { kind, what, bytes, isThere, host } of needs) {
    const key = JSON.stringify([what, bytes]);
    const { hosts = [], there = [] } = byContent.get(key) ?? {};
    byContent.set(key, {
      ...{ kind, what },
      ...(bytes === undefined ? {} : { bytes }),
      hosts: isThere ? hosts : [...hosts, host].sort(),
      there: isThere ? [...there, host].sort() : there,
    });
  }
  return [...byContent.values()].sort((a, b) => (b.bytes ?? -1) - (a.bytes ?? -1) || (a.what < b.what ? -1 : 1));
}

/** What each host fetches, by its name. */
export function hostFetchesOf(needs: readonly Need[], stores: HostStores): HostFetch[] {
  const hosts = [...new Set(needs.filter(({ isThere }) => !isThere).map(({ host }) => host))].sort();
  return hosts.map((host) =>
    hostFetch(
      host,
      needs.filter((need) => need.host === host && !need.isThere),
      stores,
    ),
  );
}

function hostFetch(host: string, missing: readonly Need[], stores: HostStores): HostFetch {
  const store = stores[host];
  const origins = [...new Set(missing.map(({ origin }) => origin))].sort().map((origin) => {
    const bytesPerSecond = rateFrom(store, origin);
    return { origin, ...(bytesPerSecond === undefined ? {} : { bytesPerSecond: Math.round(bytesPerSecond) }) };
  });
  const seconds = missing.map(({ missingBytes, origin }) => {
    const rate = rateFrom(store, origin);
    return rate === undefined || missingBytes === undefined ? undefined : missingBytes / rate;
  });
  const [bytes, time] = [total(missing.map(({ missingBytes }) => missingBytes)), total(seconds)];
  return {
    ...{ host, isLookedAt: store !== undefined },
    ...(bytes === undefined ? {} : { bytes }),
    ...(time === undefined ? {} : { seconds: Math.ceil(time) }),
    origins,
    disks: store === undefined ? [] : disksOf(missing, store.disk, store.imageDisk),
  };
}

/** What is known to be needed of each file system, which is the least that is. */
function disksOf(missing: readonly Need[], disk: Disk, imageDisk: Disk | undefined): HostFetch["disks"] {
  const isElsewhere = ({ disk: which }: Need) => which === "images" && imageDisk !== undefined;
  const on = (place: Disk, needs: readonly Need[]) => {
    const neededBytes = needs.reduce((sum, { missingBytes = 0 }) => sum + missingBytes, 0);
    return needs.length === 0 ? [] : [{ ...place, neededBytes, isShort: neededBytes > place.freeBytes }];
  };
  return [
    ...on(
      disk,
      missing.filter((need) => !isElsewhere(need)),
    ),
    ...(imageDisk === undefined ? [] : on(imageDisk, missing.filter(isElsewhere))),
  ];
}
