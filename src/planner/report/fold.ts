/** Equal hosts and equal devices are shown once. */
import { canonicalJson } from "../../lib/canonical.js";
import type { Occupant, Place } from "../../schema/plan.js";

/** Hosts whose places hold the same. */
export interface FoldedHosts {
  readonly hosts: readonly string[];
  readonly rows: readonly FoldedPlaces[];
}

/** Places of one host that hold the same. */
export interface FoldedPlaces {
  /** Labels of the devices; empty for the memory of the host. */
  readonly devices: readonly string[];
  /** Any one of them. */
  readonly place: Place;
}

/** In the order of the places: hosts by the first of each, devices by the first of each. */
export function foldPlaces(places: readonly Place[]): FoldedHosts[] {
  const byHost = new Map<string, Place[]>();
  for (const place of places) {
    const own = byHost.get(place.host);
    if (own === undefined) byHost.set(place.host, [place]);
    else own.push(place);
  }
  const folded = new Map<string, { hosts: string[]; rows: FoldedPlaces[] }>();
  for (const [host, own] of byHost) {
    const key = canonicalJson(own.map((place) => [place.device ?? null, contentOf(place)]));
    const alike = folded.get(key);
    if (alike === undefined) folded.set(key, { hosts: [host], rows: foldDevices(own) });
    else alike.hosts.push(host);
  }
  return [...folded.values()];
}

function foldDevices(places: readonly Place[]): FoldedPlaces[] {
  const rows = new Map<string, { devices: string[]; place: Place }>();
  for (const place of places) {
    const key = contentOf(place);
    const alike = rows.get(key);
    if (alike === undefined) rows.set(key, { devices: place.device === undefined ? [] : [place.device], place });
    else if (place.device !== undefined) alike.devices.push(place.device);
  }
  return [...rows.values()];
}

/** Which replica of a deployment it is makes no difference, nor which process of others. */
function contentOf({ device, title, bytes, foreignBytes, foreign, now, during, after }: Place): string {
  const who = (occupants: readonly Occupant[]) =>
    occupants.map(({ deployment, isNew, bytes: has }) => [deployment, isNew, has ?? null]);
  const others = foreign.map(({ name, bytes: has }) => [name, has ?? null]);
  return canonicalJson([
    device === undefined,
    title,
    bytes ?? null,
    foreignBytes,
    others,
    who(now),
    who(during),
    who(after),
  ]);
}

/** Occupants of one deployment and one generation together. */
export interface Share {
  readonly deployment: string;
  readonly isNew: boolean;
  readonly count: number;
  /** Of all of them; undefined when it is not known of one. */
  readonly bytes: number | undefined;
}

/** In the order of the occupants. */
export function sharesOf(occupants: readonly Occupant[]): Share[] {
  const shares = new Map<string, Share>();
  for (const { deployment, isNew, bytes } of occupants) {
    const key = `${deployment} ${String(isNew)}`;
    const { count, bytes: sum } = shares.get(key) ?? { count: 0, bytes: 0 };
    const together = sum === undefined || bytes === undefined ? undefined : sum + bytes;
    shares.set(key, { deployment, isNew, count: count + 1, bytes: together });
  }
  return [...shares.values()];
}
