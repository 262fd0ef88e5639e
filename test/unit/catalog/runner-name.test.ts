import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  formatRunnerName,
  parseRunnerName,
  type RunnerName,
  type RunnerSuffix,
  type RunnerVocabulary,
} from "../../../src/catalog/runner-name.js";

const vocabulary: RunnerVocabulary = {
  accelerators: { cann: ["a3", "910b", "310p"], corex: [], cuda: [], dtk: [], hggc: [], maca: [], musa: [], rocm: [] },
  services: ["mindie", "sglang", "vllm", "voxbox"],
};
const digest = `sha256:${"0123456789abcdef".repeat(4)}`;

const read = (text: string) => parseRunnerName(text, vocabulary);

describe("a runner image's name", () => {
  const own = { prefix: "gpustack", repository: "runner" };
  const cuda = {
    ...own,
    acceleratorType: "cuda",
    acceleratorVersion: "12.8",
    service: "vllm",
    serviceVersion: "0.9.2",
  };
  const cann = {
    ...own,
    acceleratorType: "cann",
    acceleratorVersion: "8.1",
    variant: "910b",
    service: "vllm",
    serviceVersion: "0.9.2",
  };

  it.each<[string, RunnerName]>([
    ["gpustack/runner:cann8.1-910b-vllm0.9.2", cann],
    [
      "gpustack/runner:cann8.1-910b-vllm0.9.2-linux-amd64",
      { ...cann, suffix: { kind: "platform", platform: "linux/amd64" } },
    ],
    [
      "gpustack/runner:cann8.1-910b-vllm0.9.2-linux-arm64",
      { ...cann, suffix: { kind: "platform", platform: "linux/arm64" } },
    ],
    ["gpustack/runner:cann8.1-910b-vllm0.9.2-dev", { ...cann, suffix: { kind: "dev" } }],
    ["gpustack/runner:cuda12.8-vllm0.9.2", cuda],
    ["gpustack/runner:cuda12.8-vllm0.9.2-20260212", { ...cuda, suffix: { kind: "date", date: "20260212" } }],
    ["gpustack/runner:cuda12.8-vllm0.9.2-post1", { ...cuda, suffix: { kind: "revision", revision: "post1" } }],
    ["gpustack/runner:cuda12.8-vllm0.9.2-rc1", { ...cuda, suffix: { kind: "revision", revision: "rc1" } }],
    ["gpustack/runner:cuda12.8-sglang0.5.1.post3", { ...cuda, service: "sglang", serviceVersion: "0.5.1.post3" }],
    [
      "website.example/abc/gpustack/runner:cann8.2-910b-mindie2.1.rc1-dev",
      {
        ...cann,
        ...{
          prefix: "website.example/abc/gpustack",
          acceleratorVersion: "8.2",
          service: "mindie",
          serviceVersion: "2.1.rc1",
        },
        suffix: { kind: "dev" },
      },
    ],
    ["localhost:5000/team/runner:cuda12.8-vllm0.9.2", { ...cuda, prefix: "localhost:5000/team" }],
    [`gpustack/runner:cuda12.8-vllm0.9.2@${digest}`, { ...cuda, digest }],
  ])("%s has its parts", (text, name) => {
    expect(read(text)).toEqual({ kind: "runner", name, hasUnknownVariant: false });
    expect(formatRunnerName(name)).toBe(text);
  });

  it("of the documents that gives CUDA a variant is read, and the variant reported", () => {
    const name = { ...cuda, variant: "910b" };
    expect(read("gpustack/runner:cuda12.8-910b-vllm0.9.2")).toEqual({ kind: "runner", name, hasUnknownVariant: true });
  });

  it.each([
    ["gpustack/runner", "it has no tag"],
    ["runner:cuda12.8-vllm0.9.2", "it has no namespace"],
    ["localhost:5000/runner:cuda12.8-vllm0.9.2", "localhost:5000 is no registry and namespace"],
    ["gpustack/runner:CUDA12.8-vllm0.9.2", "it has capital letters"],
    ["gpustack/runner:HostX.Y-mindie2.1.rc1-dev", "it has capital letters"],
    ["gpustack/runner:neuware1.0-vllm0.9.2", "does not begin with an accelerator type (cann, corex"],
    ["gpustack/runner:cuda.-vllm0.9.2", 'a major and a minor version, not "."'],
    ["gpustack/runner:cuda12.8.1-vllm0.9.2", 'a major and a minor version, not "12.8.1"'],
    ["gpustack/runner:cuda12.8", "it has no service (mindie, sglang, vllm, voxbox)"],
    ["gpustack/runner:cuda12.8-a-b-vllm0.9.2", "it has no service"],
    ["gpustack/runner:cuda12.8-vllmlatest", 'vllm has no version "latest"'],
    ["gpustack/runner:cuda12.8-vllm", 'vllm has no version ""'],
    ["gpustack/runner:cuda12.8--vllm0.9.2", '"" is no variant'],
    ["gpustack/runner:cuda12.8-vllm0.9.2-linux-riscv64", '"linux-riscv64" is no suffix'],
    ["gpustack/runner:cuda12.8-vllm0.9.2-dev-dev", '"dev-dev" is no suffix'],
    ["gpustack/runner:cuda12.8-vllm0.9.2-", '"" is no suffix'],
    ["gpustack/runner:dtk25.04.2-20251226-python3.10-vanilla", 'a major and a minor version, not "25.04.2"'],
    ["gpustack\\x/runner:cuda12.8-vllm0.9.2", "is no registry and namespace"],
    ["gpustack/runner:cuda12.8-vllm0.9.2@sha256:12", "sha256:12 is no digest"],
    [`gpustack/runner:cuda12.8-vllm0.9.2@${digest}@${digest}`, "it has more than one digest"],
    ["../gpustack/runner:cuda12.8-vllm0.9.2", "../gpustack is no registry and namespace"],
    ["", "it has no tag"],
  ])("%s is refused with the reason", (text, reason) => {
    expect(read(text)).toEqual({ kind: "refused", reason: expect.stringContaining(reason) as string });
  });

  const digits = fc.integer({ min: 0, max: 99 }).map(String);
  const serviceVersion = fc
    .tuple(
      fc.array(digits, { minLength: 1, maxLength: 4 }),
      fc.constantFrom("", ".post1", ".rc2", "rc0", ".post1.dev3"),
    )
    .map(([numbers, rest]) => `${numbers.join(".")}${rest}`);
  const suffix = fc.oneof(
    fc.constant(undefined),
    fc.constant<RunnerSuffix>({ kind: "dev" }),
    fc.constantFrom("linux/amd64", "linux/arm64").map((platform): RunnerSuffix => ({ kind: "platform", platform })),
    fc
      .integer({ min: 20_000_101, max: 20_991_231 })
      .map((date): RunnerSuffix => ({ kind: "date", date: String(date) })),
    fc.constantFrom("post1", "rc12").map((revision): RunnerSuffix => ({ kind: "revision", revision })),
  );
  const name: fc.Arbitrary<RunnerName> = fc
    .record({
      prefix: fc.constantFrom("gpustack", "a/b/c", "registry.example.net:5000/team", "localhost/x"),
      repository: fc.constantFrom("runner", "my-runner", "a__b"),
      acceleratorType: fc.constantFrom(...Object.keys(vocabulary.accelerators)),
      acceleratorVersion: fc.tuple(digits, digits).map((numbers) => numbers.join(".")),
      variant: fc.constantFrom(undefined, "a3", "910b", "x9"),
      service: fc.constantFrom(...vocabulary.services),
      serviceVersion,
      suffix,
      digest: fc.constantFrom(undefined, digest),
    })
    .map(
      (parts) =>
        Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined)) as unknown as RunnerName,
    );

  it("is read as what it was made of", () => {
    fc.assert(
      fc.property(name, (parts) => {
        const { acceleratorType, variant } = parts;
        const hasUnknownVariant =
          variant !== undefined && vocabulary.accelerators[acceleratorType]?.includes(variant) !== true;
        expect(read(formatRunnerName(parts))).toEqual({ kind: "runner", name: parts, hasUnknownVariant });
      }),
      { numRuns: 10_000 },
    );
  });

  it("with a letter more, less or another is refused, or is the name of what it is read as", () => {
    const letter = fc.constantFrom("a", "b", "x", "A", "0", "8", ".", "-", "_", "/", ":", "@", "+", " ", "\\", "\n");
    const mutation = fc.record({ at: fc.nat(120), put: fc.oneof(letter, fc.constant("")), take: fc.nat(1) });
    fc.assert(
      fc.property(name, fc.array(mutation, { minLength: 1, maxLength: 3 }), (parts, mutations) => {
        const text = mutations.reduce((all, { at, put, take }) => {
          const place = at % (all.length + 1);
          return `${all.slice(0, place)}${put}${all.slice(place + take)}`;
        }, formatRunnerName(parts));
        const reading = read(text);
        if (reading.kind === "runner") expect(formatRunnerName(reading.name)).toBe(text);
        else expect(reading.reason).not.toBe("");
      }),
      { numRuns: 10_000 },
    );
  });
});
