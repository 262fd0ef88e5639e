import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { chooseRunner, type RunnerChoiceQuestion } from "../../../src/catalog/runner-choice.js";
import type { RunnerImage } from "../../../src/catalog/runner-catalogue.js";
import { lockRunnerImage, runsLocked } from "../../../src/catalog/runner-lock.js";
import { resolveRunner, type RunnerFacts } from "../../../src/catalog/runner-resolution.js";
import { readRunners } from "../../../src/lock/runner-files.js";
import { parseConstraint } from "../../../src/schema/version-constraint.js";
import { repository } from "../../support/toolchain.js";
import { cudaHost, cudaRunners, importedRuntime } from "../support/runners.js";

const published = readRunners(repository, repository);

function choose(
  images: Parameters<typeof cudaRunners>[0],
  hosts: Readonly<Record<string, { facts: RunnerFacts }>>,
  question: Partial<RunnerChoiceQuestion> = {},
) {
  const facts = Object.fromEntries(Object.entries(hosts).map(([name, host]) => [name, host.facts]));
  return chooseRunner(cudaRunners(images), facts, { service: "engine", acceleratorType: "cuda", ...question });
}

const volta = { computeCapability: "7.0", name: "Tesla V100" };

describe("one runner image for several hosts", () => {
  const two = { "12.8": ["1.0"], "12.6": ["1.0"] };

  it("is what a host alone would have, where there is one", () => {
    expect(choose(two, { a: cudaHost("12.8") })).toMatchObject({
      image: { tag: "cuda12.8-engine1.0" },
      reason: "the newest runtime that can run; cuda 12.8 is not above the host's 12.8",
      hosts: { a: { kind: "runs" } },
    });
  });

  it("is one that is above the runtime of none, though some hosts alone would have a newer one", () => {
    expect(choose(two, { a: cudaHost("12.8"), b: cudaHost("12.6"), c: cudaHost("12.9") })).toMatchObject({
      image: { tag: "cuda12.6-engine1.0" },
      reason: "the newest of those that run on all 3 hosts",
      others: [{ image: { tag: "cuda12.8-engine1.0" }, reason: "its runtime is above that of 1 of 3 hosts" }],
    });
  });

  it("is one that runs on the most hosts, and tells which cannot run it and why", () => {
    const hosts = { a: cudaHost("12.8"), b: cudaHost("12.8"), c: cudaHost("13.0", { computeCapability: "12.1" }) };
    const choice = choose({ "13.0": ["1.0"], "12.8": ["1.0"] }, { ...hosts, d: cudaHost("12.8", volta) });
    expect(choice).toMatchObject({
      image: { tag: "cuda12.8-engine1.0" },
      reason: "the newest of those that run on 3 of 4 hosts",
      hosts: {
        c: { kind: "runs" },
        d: {
          kind: "cannot",
          reason: "it has no code for compute capability 7.0 (Tesla V100), only for 7.5 8.0+PTX 9.0 10.0 12.0+PTX",
        },
      },
      others: [{ reason: "it runs on 1 of 4 hosts, and cuda12.8-engine1.0 on 3" }],
    });
  });

  it("is none where none runs anywhere, with what each host would need", () => {
    expect(choose({ "12.8": ["1.0"] }, { a: cudaHost("11.8"), b: cudaHost("12.8", volta) })).toEqual({
      kind: "refused",
      hosts: {
        a: expect.stringMatching(
          /later major version than the host's 11\.8; needed: NVIDIA CUDA 12\.8 or newer/,
        ) as string,
        b: "no image of engine for NVIDIA CUDA can run on the host",
      },
    });
  });

  it("stays the one in use while all hosts that have it can run it, deprecated or not", () => {
    const images = { "12.8": ["1.0"], "12.6": [{ version: "1.0", deprecated: true }] };
    const hosts = { a: cudaHost("12.8"), b: cudaHost("12.8", volta) };
    const before = { tag: "cuda12.6-engine1.0", hosts: ["a"] };
    expect(choose(images, hosts, { before })).toMatchObject({
      image: { tag: "cuda12.6-engine1.0" },
      reason: "as locked before",
    });
    const moved = { ...before, hosts: ["a", "b"] };
    expect(choose(images, hosts, { before: moved })).toMatchObject({ image: { tag: "cuda12.8-engine1.0" } });
  });

  it("is another than the one in use where something else is asked for", () => {
    const before = { tag: "cuda12.6-engine1.0", hosts: ["a"] };
    const asked = { before, acceleratorVersion: parseConstraint("12.8") };
    expect(choose(two, { a: cudaHost("12.8") }, asked)).toMatchObject({ image: { tag: "cuda12.8-engine1.0" } });
  });
});

describe("an image of which nobody knows for which devices it has code", () => {
  const imported = importedRuntime(cudaRunners({ "12.8": ["1.1"], "12.6": ["1.0"], "12.4": ["1.0"] }), "12.8");
  const asked = { service: "engine", acceleratorType: "cuda" };
  const choice = (hosts: Readonly<Record<string, { facts: RunnerFacts }>>, more: Partial<RunnerChoiceQuestion> = {}) =>
    chooseRunner(imported, Object.fromEntries(Object.entries(hosts).map(([name, { facts }]) => [name, facts])), {
      ...asked,
      ...more,
    });
  const both = { a: cudaHost("12.8"), b: cudaHost("12.9") };

  it.each(["newestRuntime", "newestService"] as const)("is not preferred to one that is known to run: %s", (policy) => {
    const reason = "nobody knows whether it runs, and cuda12.6-engine1.0 is known to";
    expect(choice({ a: cudaHost("12.8") }, { policy })).toMatchObject({
      image: { tag: "cuda12.6-engine1.0" },
      reason: expect.stringMatching(/^the newest \w+ that is known to run; cuda 12\.6 is not above/) as string,
      others: [{ image: { tag: "cuda12.8-engine1.1" }, reason }, { image: { tag: "cuda12.4-engine1.0" } }],
    });
    expect(choice(both, { policy })).toMatchObject({
      image: { tag: "cuda12.6-engine1.0" },
      reason: "the newest of those that are known to run on all 2 hosts",
      others: [{ image: { tag: "cuda12.8-engine1.1" }, reason }, { image: { tag: "cuda12.4-engine1.0" } }],
    });
  });

  it("is not preferred to one that is known to run, though that is above the host's runtime", () => {
    const older = importedRuntime(cudaRunners({ "12.8": ["1.0"], "12.6": ["1.0"] }), "12.6");
    const facts = cudaHost("12.6").facts;
    expect(resolveRunner(older, facts, asked)).toMatchObject({ image: { tag: "cuda12.8-engine1.0" } });
    expect(chooseRunner(older, { a: facts }, asked)).toMatchObject({ image: { tag: "cuda12.8-engine1.0" } });
  });

  it("is taken where none is known to run, where it is asked for, and where it is in use", () => {
    const taken = { image: { tag: "cuda12.8-engine1.1" } };
    const notes = [expect.stringContaining("nobody knows whether it runs") as string];
    expect(choice({ a: cudaHost("12.8", volta) })).toMatchObject({ ...taken, hosts: { a: { notes } } });
    expect(choice(both, { serviceVersion: parseConstraint("==1.1") })).toMatchObject(taken);
    expect(choice(both, { acceleratorVersion: parseConstraint("12.8") })).toMatchObject(taken);
    expect(choice(both, { before: { tag: "cuda12.8-engine1.1", hosts: ["a"] } })).toMatchObject(taken);
  });

  it("is as good as others for a host that does not tell what its devices are", () => {
    expect(choice({ a: cudaHost("12.8", { computeCapability: undefined }) })).toMatchObject({
      image: { tag: "cuda12.8-engine1.1" },
    });
  });
});

const device = fc.record({
  type: fc.constantFrom("cuda" as const, "rocm" as const, "cann" as const),
  runtimeVersion: fc.constantFrom(undefined, "12.4", "12.6", "12.8", "12.9", "6.4", "7.0", "8.2", "8.5.0", "11.8"),
  computeCapability: fc.constantFrom(undefined, "7.0", "8.6", "9.0", "12.0"),
  llvmTarget: fc.constantFrom(undefined, "gfx942", "gfx950", "gfx1151"),
  soc: fc.constantFrom(undefined, "Ascend910B3", "Ascend310P3", "Ascend910A"),
});
const host = fc.record({
  os: fc.constant("linux" as const),
  arch: fc.constantFrom("x64" as const, "arm64" as const),
  accelerators: fc.array(device, { minLength: 1, maxLength: 2 }).map((devices) =>
    devices.map((each, index) => ({
      ...{ name: `device ${index}`, index, uuid: `U-${index}`, memoryBytes: 0, driverVersion: "1" },
      ...each,
    })),
  ),
});
const question = fc.record({
  service: fc.constantFrom("vllm", "sglang", "mindie", "voxbox"),
  acceleratorType: fc.constantFrom("cuda", "rocm", "cann"),
  policy: fc.constantFrom("newestRuntime" as const, "newestService" as const),
  allowRc: fc.boolean(),
});

describe("the choice for any hosts", () => {
  it("does not depend on their order", () => {
    const hosts = fc.uniqueArray(fc.tuple(fc.constantFrom("a", "b", "c", "d", "e", "f", "g"), host), {
      minLength: 1,
      selector: ([name]) => name,
    });
    const shuffled = hosts.chain((entries) =>
      fc.tuple(fc.constant(entries), fc.shuffledSubarray(entries, { minLength: entries.length })),
    );
    fc.assert(
      fc.property(shuffled, question, ([entries, others], asked) => {
        const choice = (of: typeof entries) => chooseRunner(published, Object.fromEntries(of), asked);
        expect(choice(others)).toEqual(choice(entries));
      }),
      { numRuns: 300 },
    );
  });

  it("is that of a host alone, where there is one", () => {
    fc.assert(
      fc.property(host, question, (facts, asked) => {
        const alone = resolveRunner(published, facts, asked);
        const choice = chooseRunner(published, { a: facts }, asked);
        expect(choice.kind === "chosen" ? choice.image.tag : undefined).toBe(
          alone.kind === "resolved" ? alone.image.tag : undefined,
        );
      }),
      { numRuns: 500 },
    );
  });

  it("is that of a host alone, also where it is not told for which devices images have code", () => {
    fc.assert(
      fc.property(
        host,
        question,
        fc.array(fc.constantFrom(...new Set(published.images.map(({ acceleratorVersion }) => acceleratorVersion)))),
        (facts, asked, versions) => {
          const forget = (image: RunnerImage) =>
            versions.includes(image.acceleratorVersion)
              ? { ...image, computeCapabilities: undefined, llvmTargets: undefined }
              : image;
          const catalogue = { ...published, images: published.images.map(forget) };
          const alone = resolveRunner(catalogue, facts, asked);
          const choice = chooseRunner(catalogue, { a: facts }, asked);
          expect(choice.kind === "chosen" ? [choice.image.tag, choice.reason] : []).toEqual(
            alone.kind === "resolved" ? [alone.image.tag, alone.reason] : [],
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  it("runs by what the lock keeps of it on the hosts on which it does by the catalogue, and on no others", () => {
    fc.assert(
      fc.property(fc.array(host, { minLength: 1, maxLength: 4 }), question, (facts, asked) => {
        const hosts = Object.fromEntries(facts.map((each, index) => [`h${index}`, each]));
        const choice = chooseRunner(published, hosts, asked);
        if (choice.kind === "refused") return;
        const file = published.files[choice.image.acceleratorType];
        if (file === undefined) throw new Error("an image without a file");
        const locked = lockRunnerImage(choice.image, file);
        const kinds = Object.entries(hosts).map(([name, known]) => [name, runsLocked(locked, known).kind]);
        expect(kinds).toEqual(Object.keys(hosts).map((name) => [name, choice.hosts[name]?.kind]));
      }),
      { numRuns: 300 },
    );
  });
});
