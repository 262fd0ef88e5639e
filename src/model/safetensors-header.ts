import { z } from "zod";

import { BerthError } from "../lib/errors.js";

export interface WeightTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly bytes: number;
}

/** Before the header stands its length (https://huggingface.co/docs/safetensors, Format). */
export const safetensorsLengthBytes = 8;
/** What the format's own library reads at most (`MAX_HEADER_SIZE` in safetensors/src/tensor.rs). */
const mostHeaderBytes = 100_000_000;

const size = z.int().min(0);
const entry = z.object({ dtype: z.string(), shape: z.array(size), data_offsets: z.tuple([size, size]) });

/** @throws BerthError `model-unavailable` */
export function readHeaderLength(beginning: Uint8Array, where: string): number {
  if (beginning.byteLength < safetensorsLengthBytes) throw damaged(where, `${beginning.byteLength} bytes`);
  const length = Number(Buffer.from(beginning).readBigUInt64LE(0));
  if (length < 2 || length > mostHeaderBytes) throw damaged(where, `a header of ${length} bytes`);
  return length;
}

/**
 * The weights of a file, by its header, which is JSON. Bytes are those that lie in the file, whatever the form: quantised
 * weights are there as they are in memory.
 *
 * @throws BerthError `model-unavailable`
 */
export function readSafetensorsHeader(header: Uint8Array, where: string): WeightTensor[] {
  const told = parseObject(header, where);
  return Object.entries(told).flatMap(([name, value]) => {
    if (name === "__metadata__") return [];
    const tensor = entry.safeParse(value);
    if (!tensor.success) throw damaged(where, `${name}: ${z.prettifyError(tensor.error)}`);
    const [from, to] = tensor.data.data_offsets;
    if (to < from) throw damaged(where, `${name} ends before it begins`);
    return [{ name, shape: tensor.data.shape, bytes: to - from }];
  });
}

function parseObject(header: Uint8Array, where: string): Record<string, unknown> {
  try {
    const told: unknown = JSON.parse(Buffer.from(header).toString("utf8"));
    if (typeof told === "object" && told !== null && !Array.isArray(told)) return told as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw damaged(where, "no JSON object");
}

function damaged(where: string, got: string): BerthError {
  return new BerthError("model-unavailable", {
    where,
    what: "the beginning of the safetensors file cannot be read",
    got,
    hint: "check that the file is whole, or take another revision",
  });
}
