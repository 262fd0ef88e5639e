import { BerthError } from "../lib/errors.js";
import type { GgufHeader, GgufValue } from "./gguf-header.js";

/** What a GGUF file says of its model, by keys of its architecture (ggml's docs/gguf.md; llama.cpp's llama-arch.cpp). */
export interface GgufMetadata {
  readonly architecture: string;
  /** Undefined where nothing is said. */
  number(key: string): number | undefined;
  /** One value for each layer, from one for all or from a list. */
  perLayer(key: string, layers: number): readonly number[] | undefined;
  flags(key: string): readonly boolean[] | undefined;
  /** @throws BerthError `model-unavailable` */
  required(key: string): number;
  readonly vocabulary: number;
}

/** @throws BerthError `model-unavailable` when it does not name an architecture */
export function readMetadata({ metadata, arrayLengths, tensors }: GgufHeader, where: string): GgufMetadata {
  const architecture = metadata.get("general.architecture");
  if (typeof architecture !== "string") throw lacking("general.architecture", where);
  const own = (key: string): GgufValue | undefined => metadata.get(`${architecture}.${key}`);
  const number = (key: string): number | undefined => {
    const value = own(key);
    return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
  };
  return {
    architecture,
    number,
    perLayer(key, layers) {
      const value = own(key);
      if (typeof value === "number") return new Array<number>(layers).fill(value);
      if (!Array.isArray(value) || value.length < layers) return undefined;
      return value
        .slice(0, layers)
        .map((each) => (typeof each === "number" && each > 0 ? each : Number(each === true)));
    },
    flags(key) {
      const value = own(key);
      return Array.isArray(value) ? value.map((each) => each === true || each === 1) : undefined;
    },
    required(key) {
      const value = number(key);
      if (value === undefined) throw lacking(`${architecture}.${key}`, where);
      return value;
    },
    vocabulary:
      arrayLengths.get("tokenizer.ggml.tokens") ??
      number("vocab_size") ??
      tensors.find(({ name }) => name === "token_embd.weight")?.shape[1] ??
      0,
  };
}

function lacking(key: string, where: string): BerthError {
  return new BerthError("model-unavailable", {
    where,
    what: "the GGUF file does not say what its memory depends on",
    got: `no ${key}`,
    hint: "convert the model again with a newer llama.cpp, or take another file",
  });
}
