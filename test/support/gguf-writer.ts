import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";

/** A GGUF file's metadata: texts, numbers as f32 or u32, booleans, and arrays of one of these. */
export type GgufValue = string | number | boolean | { readonly float: number } | readonly GgufValue[];

export interface GgufTensorSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: keyof typeof tensorTypes;
}

/** Number in the file, weights in a block, bytes of a block (ggml's `enum ggml_type` and its block structures). */
export const tensorTypes = {
  F32: [0, 1, 4],
  F16: [1, 1, 2],
  Q4_0: [2, 32, 18],
  Q8_0: [8, 32, 34],
  Q4_K: [12, 256, 144],
  Q6_K: [14, 256, 210],
  MXFP4: [39, 32, 17],
} as const;

const alignment = 32;

/** Beginning of a GGUF file, version 3, without the weights (ggml's docs/gguf.md). */
export function ggufHeader(
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensorSpec[],
): { header: Buffer; sizeBytes: number } {
  let offset = 0;
  const infos = tensors.map(({ name, shape, type }) => {
    const [number] = tensorTypes[type];
    const info = Buffer.concat([
      text(name),
      uint32(shape.length),
      ...shape.map(uint64),
      uint32(number),
      uint64(offset),
    ]);
    offset += padded(tensorBytes(shape, type));
    return info;
  });
  const pairs = Object.entries(metadata).map(([key, value]) => Buffer.concat([text(key), typed(value)]));
  const head = [Buffer.from("GGUF"), uint32(3), uint64(tensors.length), uint64(pairs.length)];
  const header = Buffer.concat([...head, ...pairs, ...infos]);
  const whole = Buffer.concat([header, Buffer.alloc(padded(header.length) - header.length)]);
  return { header: whole, sizeBytes: whole.length + offset };
}

/** Writes a model whose weights are a hole in the file: of any size, at no cost. */
export function writeSparseGguf(
  path: string,
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensorSpec[],
): void {
  const { header, sizeBytes } = ggufHeader(metadata, tensors);
  const file = openSync(path, "w");
  try {
    writeSync(file, header);
    ftruncateSync(file, sizeBytes);
  } finally {
    closeSync(file);
  }
}

export function tensorBytes(shape: readonly number[], type: keyof typeof tensorTypes): number {
  const [, weights, bytes] = tensorTypes[type];
  return (shape.reduce((product, size) => product * size, 1) / weights) * bytes;
}

function typed(value: GgufValue): Buffer {
  const [type, body] = encode(value);
  return Buffer.concat([uint32(type), body]);
}

function encode(value: GgufValue): [type: number, body: Buffer] {
  if (typeof value === "string") return [8, text(value)];
  if (typeof value === "boolean") return [7, Buffer.from([value ? 1 : 0])];
  if (typeof value === "number") return [4, uint32(value)];
  if ("float" in value) return [6, float32(value.float)];
  const items = value.map(encode);
  return [9, Buffer.concat([uint32(items[0]?.[0] ?? 4), uint64(items.length), ...items.map(([, body]) => body)])];
}

function padded(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

function text(value: string): Buffer {
  return Buffer.concat([uint64(Buffer.byteLength(value)), Buffer.from(value)]);
}

function float32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
