import type { LlamaSetting } from "./llama-options.js";

export type Place = "host" | number;

/** Where the parts of a model lie: its input, each layer, its output. */
export interface Offload {
  readonly layers: readonly Place[];
  readonly output: Place;
}

/**
 * Which device has which layer: the last ones come first, the output before all of them (`get_layer_buft_list` in
 * llama.cpp's src/llama-model.cpp, with its 32-bit fractions). The input is always the host's.
 */
export function placeLayers(count: number, { layers, split }: Pick<LlamaSetting, "layers" | "split">): Offload {
  const whole = split.reduce((total, share) => Math.fround(total + share), 0);
  let reached = 0;
  const ends = split.map((share) => {
    reached = Math.fround(reached + share);
    return Math.fround(reached / whole);
  });
  const first = Math.max(count + 1 - layers, 0);
  const placeOf = (layer: number): Place => {
    if (layer < first || layers === 0) return "host";
    const part = Math.fround(Math.fround(layer - first) / Math.fround(layers));
    const device = ends.findIndex((end) => end > part);
    return device === -1 ? split.length - 1 : device;
  };
  return { layers: Array.from({ length: count }, (_, layer) => placeOf(layer)), output: placeOf(count) };
}

/** The host, then the devices by number. */
export function placesOf({ split }: Pick<LlamaSetting, "split">): Place[] {
  return ["host", ...split.keys()];
}
