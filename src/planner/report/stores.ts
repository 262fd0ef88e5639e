/** What hosts have of downloads, and what was measured there before. */
import type { LoadMeasure, Measure } from "../../schema/measures.js";

/** A file system, and what is free of it for the user that Berth works as. */
export interface Disk {
  /** A folder on it. */
  readonly folder: string;
  readonly freeBytes: number;
}

/** What of downloads lies on a host already, and the room for more. */
export interface HostStore {
  /** That of the data directory. */
  readonly disk: Disk;
  /** Whole files in the cache or in place, by their SHA-256, with their sizes, bytes. */
  readonly files: ReadonlyMap<string, number>;
  /** Of files whose download was begun, so many bytes. */
  readonly begun: ReadonlyMap<string, number>;
  /** Wheels that are all there, by the SHA-256 of their requirements, with their size, bytes. */
  readonly wheels: ReadonlyMap<string, number>;
  /** Digests of wanted images that the host's engine has. */
  readonly images: ReadonlySet<string>;
  /** That of the engine's images, where it is another than the data directory's. */
  readonly imageDisk?: Disk | undefined;
  readonly measures: readonly Measure[];
}

/** By host; without those that were not looked at. */
export type HostStores = Readonly<Record<string, HostStore>>;

/** Bytes for each second, over all that was measured; undefined where nothing came from there yet. */
export function rateFrom(store: HostStore | undefined, origin: string): number | undefined {
  const samples = (store?.measures ?? []).flatMap((each) =>
    each.kind === "transfer" && each.origin === origin ? each.samples : [],
  );
  const seconds = samples.reduce((sum, sample) => sum + sample.seconds, 0);
  return seconds === 0 ? undefined : samples.reduce((sum, { bytes }) => sum + bytes, 0) / seconds;
}

/** A runner, as far as its load time depends on it. */
export type Loaded = Pick<LoadMeasure, "backend" | "modelSha256" | "devices">;

/** How long starts took, at the worst of those that were measured. */
export interface LoadTime {
  readonly seconds: number;
  readonly starts: number;
}

/** Undefined where the host never started the model with the backend on so many devices. */
export function loadTimeOf(store: HostStore | undefined, wanted: Loaded): LoadTime | undefined {
  const samples = (store?.measures ?? []).flatMap((each) =>
    each.kind === "load" && isOf(each, wanted) ? each.samples : [],
  );
  if (samples.length === 0) return undefined;
  return { seconds: Math.max(...samples.map(({ seconds }) => seconds)), starts: samples.length };
}

function isOf({ backend, modelSha256, devices }: Loaded, wanted: Loaded): boolean {
  return backend === wanted.backend && modelSha256 === wanted.modelSha256 && devices === wanted.devices;
}
