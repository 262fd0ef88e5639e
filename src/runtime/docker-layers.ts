import { z } from "zod";

import type { PullProgress } from "./container-engine.js";

/** A line of the answer of `POST /images/create`. */
export const pullEvent = z.object({
  id: z.string().optional(),
  status: z.string().optional(),
  progressDetail: z.object({ current: z.number().optional(), total: z.number().optional() }).nullish(),
  error: z.string().optional(),
});

export type PullEvent = z.output<typeof pullEvent>;

interface Layer {
  readonly bytes: number;
  readonly totalBytes: number;
  readonly isDone: boolean;
}

const begun = /^(?:Pulling fs layer|Waiting|Retrying in)/;
const fetched = /^(?:Verifying Checksum|Download complete|Extracting)/;
const done = /^(?:Pull complete|Already exists)/;

/** Adds up what an engine tells of an image's layers while it pulls it. Bytes are those that are fetched. */
export class PulledLayers {
  readonly #layers = new Map<string, Layer>();

  /** Returns whether anything is different now. */
  take({ id, status, progressDetail }: PullEvent): boolean {
    if (id === undefined || status === undefined) return false;
    const before = this.#layers.get(id);
    const after = follow(before, status, progressDetail ?? {});
    if (after === undefined) return false;
    this.#layers.set(id, after);
    return before?.bytes !== after.bytes || before.totalBytes !== after.totalBytes || before.isDone !== after.isDone;
  }

  get progress(): PullProgress {
    const layers = [...this.#layers.values()];
    const sum = (count: (layer: Layer) => number) => layers.reduce((all, layer) => all + count(layer), 0);
    return {
      layers: layers.length,
      doneLayers: sum(({ isDone }) => Number(isDone)),
      bytes: sum(({ bytes }) => bytes),
      totalBytes: sum(({ totalBytes }) => totalBytes),
    };
  }
}

function follow(
  before: Layer | undefined,
  status: string,
  { current = 0, total = 0 }: { readonly current?: number | undefined; readonly total?: number | undefined },
): Layer | undefined {
  const { totalBytes } = before ?? { totalBytes: 0 };
  if (begun.test(status)) return { bytes: 0, totalBytes, isDone: false };
  if (status === "Downloading") return { bytes: current, totalBytes: Math.max(total, current), isDone: false };
  // Small layers are fetched without a word of their size; unpacking counts other bytes.
  if (fetched.test(status)) return { bytes: totalBytes, totalBytes, isDone: false };
  if (done.test(status)) return { bytes: totalBytes, totalBytes, isDone: true };
  return undefined;
}
