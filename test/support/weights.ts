/** Small files in the formats of models, made here: their weights are noise. */

/** GGUF, version 3, with texts and 32-bit numbers as metadata and no tensors (ggml's docs/gguf.md). */
export function ggufFile(metadata: Readonly<Record<string, string | number>>, paddingBytes = 64): Buffer {
  const text = (value: string) => Buffer.concat([uint64(Buffer.byteLength(value)), Buffer.from(value)]);
  const pairs = Object.entries(metadata).map(([key, value]) =>
    typeof value === "string"
      ? Buffer.concat([text(key), uint32(8), text(value)])
      : Buffer.concat([text(key), uint32(4), uint32(value)]),
  );
  const head = [Buffer.from("GGUF"), uint32(3), uint64(0), uint64(pairs.length)];
  return Buffer.concat([...head, ...pairs, noise(paddingBytes)]);
}

/** One tensor of noise (https://huggingface.co/docs/safetensors, Format). */
export function safetensorsFile(bytes: number, seed = 1): Buffer {
  const header = JSON.stringify({ weight: { dtype: "U8", shape: [bytes], data_offsets: [0, bytes] } });
  return Buffer.concat([uint64(header.length), Buffer.from(header), noise(bytes, seed)]);
}

/** The same for the same seed. */
export function noise(bytes: number, seed = 1): Buffer {
  const made = Buffer.alloc(bytes);
  let state = seed;
  for (let at = 0; at < bytes; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    made[at] = state >>> 16;
  }
  return made;
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
