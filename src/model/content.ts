import type { ModelFormat } from "../catalog/selection.js";

/** So many bytes tell a file's format. */
export const tellingBytes = 9;

/**
 * What a file of weights is, by how it begins. GGUF begins with its name (llama.cpp, docs/gguf.md); safetensors with
 * the size of a JSON object, 64 bits little-endian, and that object (https://huggingface.co/docs/safetensors, Format).
 */
export function formatOfContent(beginning: Uint8Array, sizeBytes: number): ModelFormat {
  const bytes = Buffer.from(beginning);
  if (bytes.subarray(0, 4).toString("latin1") === "GGUF") return "gguf";
  if (bytes.length < tellingBytes) return "other";
  const header = bytes.readBigUInt64LE(0);
  return header >= 2n && header <= BigInt(Math.max(0, sizeBytes - 8)) && bytes[8] === 0x7b ? "safetensors" : "other";
}

/** A file that stands for a large one in a Git repository (git-lfs, docs/spec.md): a mirror without its large files. */
export function isLfsPointer(content: Uint8Array): boolean {
  return content.length < 1024 && Buffer.from(content).toString("latin1").startsWith("version https://git-lfs");
}
