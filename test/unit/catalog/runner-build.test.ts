import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { parseDockerfile } from "../../../src/catalog/dockerfile.js";
import { digestInputs } from "../../../src/catalog/runner-build-inputs.js";
import { planBuilds } from "../../../src/catalog/runner-build-plan.js";
import { selectBuilds } from "../../../src/catalog/runner-build-selection.js";
import type { BuildRecipe } from "../../../src/catalog/runner-build.js";
import { readYaml } from "../../../src/schema/document.js";
import { runnerMatrix } from "../../../src/schema/runner-matrix.js";
import { runnerFile } from "../../../src/schema/runner.js";

const type = (acceleratorType: string, services: readonly string[], variants: readonly string[] = []) =>
  runnerFile.parse({
    ...{ schemaVersion: 1, acceleratorType, name: acceleratorType.toUpperCase(), vendor: "nvidia", device: "device" },
    hostRuntime: { comparable: false, source: "nothing" },
    services: Object.fromEntries(services.map((service) => [service, service])),
    ...(variants.length === 0
      ? {}
      : { variants: Object.fromEntries(variants.map((one) => [one, { label: one, socs: [one] }])) }),
    versions: [],
  });
const catalogue = { files: { cuda: type("cuda", ["vllm", "sglang"]), cann: type("cann", ["mindie"], ["a3", "310p"]) } };

const head = "ARG PYTHON_VERSION=3.12\nARG CUDA_VERSION=12.9.1\nARG CUDA_ARCHS=all\n";
const vllm = `${head}ARG VLLM_BASE_IMAGE=runtime
ARG VLLM_VERSION=0.15.1
FROM vendor/devel:\${CUDA_VERSION} AS runtime
ARG TARGETARCH
FROM \${VLLM_BASE_IMAGE} AS vllm
ARG WHEELS=none
`;
const sglang = `${head}ARG SGLANG_BASE_IMAGE=vllm
ARG SGLANG_VERSION=0.5.9
FROM \${SGLANG_BASE_IMAGE} AS runtime
FROM runtime AS sglang
`;
const cann = `ARG CANN_VERSION=8.5.0
ARG CANN_ARCHS=a3
ARG MINDIE_VERSION=2.3.0
FROM vendor/cann AS mindie
`;

function recipe(acceleratorType: string, matrix: string, dockerfiles: Readonly<Record<string, string>>): BuildRecipe {
  const folder = `backends/runners/${acceleratorType}`;
  const { value, locate } = readYaml(`schemaVersion: 1\nrules:\n${matrix}`, `${folder}/matrix.yaml`, runnerMatrix);
  const read = Object.entries(dockerfiles).map(([name, text]) => [name, parseDockerfile(text, `${folder}/${name}`)]);
  return {
    acceleratorType,
    matrix: value,
    locate,
    dockerfiles: Object.fromEntries(read) as BuildRecipe["dockerfiles"],
  };
}

const cuda = (matrix: string) => recipe("cuda", matrix, { Dockerfile: vllm, "Dockerfile.sglang": sglang });
const amd64 = "platforms: [linux/amd64]";
const onVllm = 'SGLANG_BASE_IMAGE: "gpustack/runner:cuda12.9-vllm0.15.1"';

function plan(recipes: readonly BuildRecipe[], args: Readonly<Record<string, string>> = {}) {
  return planBuilds({ catalogue, recipes, args, prefix: "registry.example.net:5000/team" });
}

function refusal(action: () => unknown): string {
  try {
    action();
    return "";
  } catch (error) {
    return String(error);
  }
}

describe("a matrix", () => {
  it("is expanded to an image for each service and platform of a rule, and one of all platforms", () => {
    const { jobs, manifests } = plan([cuda("  - services: [vllm]\n")]);
    expect(jobs.map(({ platformTag }) => platformTag)).toEqual([
      "cuda12.9-vllm0.15.1-linux-amd64",
      "cuda12.9-vllm0.15.1-linux-arm64",
    ]);
    expect(jobs[0]).toEqual({
      ...{ tag: "cuda12.9-vllm0.15.1", platformTag: "cuda12.9-vllm0.15.1-linux-amd64" },
      image: "registry.example.net:5000/team/runner:cuda12.9-vllm0.15.1-linux-amd64",
      cacheImages: ["0.15.1", "0.15", "0"].map(
        (version) => `registry.example.net:5000/team/runner-build-cache:cuda12.9-vllm${version}-linux-amd64`,
      ),
      ...{ acceleratorType: "cuda", acceleratorVersion: "12.9", runtimeVersion: "12.9.1", variant: undefined },
      ...{ service: "vllm", serviceVersion: "0.15.1", platform: "linux/amd64" },
      ...{ dockerfile: "backends/runners/cuda/Dockerfile", target: "vllm", args: {} },
      ...{ bases: ["vendor/devel:12.9.1"], needs: [] },
    });
    expect(manifests).toEqual([
      {
        tag: "cuda12.9-vllm0.15.1",
        devImage: "registry.example.net:5000/team/runner:cuda12.9-vllm0.15.1-dev",
        image: "registry.example.net:5000/team/runner:cuda12.9-vllm0.15.1",
        platformTags: ["cuda12.9-vllm0.15.1-linux-amd64", "cuda12.9-vllm0.15.1-linux-arm64"],
      },
    ]);
  });

  it("takes arguments from the Dockerfile, then from the rule, then from those given by hand", () => {
    const rule = `  - { services: [vllm], ${amd64}, args: { CUDA_VERSION: "12.8.1", VLLM_VERSION: "0.14.1" } }\n`;
    const tags = (args: Record<string, string>) => plan([cuda(rule)], args).jobs.map(({ tag }) => tag);
    expect(tags({})).toEqual(["cuda12.8-vllm0.14.1"]);
    expect(tags({ VLLM_VERSION: "0.13.0" })).toEqual(["cuda12.8-vllm0.13.0"]);
    expect(plan([cuda(rule)], { WHEELS: "x" }).jobs[0]?.args).toEqual({
      ...{ CUDA_VERSION: "12.8.1", VLLM_VERSION: "0.14.1", WHEELS: "x" },
    });
  });

  it("hands each Dockerfile those arguments alone that it takes", () => {
    const args = `args: { VLLM_VERSION: "0.14.1", SGLANG_VERSION: "0.5.7", SGLANG_BASE_IMAGE: "vendor/base:1" }`;
    const { jobs } = plan([cuda(`  - { services: [vllm, sglang], ${amd64}, ${args} }\n`)]);
    expect(jobs.map((job) => [job.dockerfile, Object.keys(job.args)])).toEqual([
      ["backends/runners/cuda/Dockerfile", ["VLLM_VERSION"]],
      ["backends/runners/cuda/Dockerfile.sglang", ["SGLANG_BASE_IMAGE", "SGLANG_VERSION"]],
    ]);
  });

  it("names the variant where the accelerator type has variants, and nowhere else", () => {
    const rules = `  - { services: [mindie], ${amd64} }\n  - { services: [mindie], ${amd64}, args: { CANN_ARCHS: "310p" } }\n`;
    const { jobs } = plan([recipe("cann", rules, { Dockerfile: cann }), cuda(`  - { services: [vllm], ${amd64} }\n`)]);
    expect(jobs.map(({ tag }) => tag)).toEqual([
      "cann8.5-a3-mindie2.3.0",
      "cann8.5-310p-mindie2.3.0",
      "cuda12.9-vllm0.15.1",
    ]);
  });

  it("has an image made after the one that it is made from, for the same platform", () => {
    const rules = `  - { services: [sglang], args: { ${onVllm} } }\n  - services: [vllm]\n`;
    const { jobs } = plan([cuda(rules)]);
    expect(
      jobs.map(({ platformTag, needs, bases }) => [platformTag, needs.map((need) => need.platformTag), bases]),
    ).toEqual([
      ["cuda12.9-vllm0.15.1-linux-amd64", [], ["vendor/devel:12.9.1"]],
      ["cuda12.9-sglang0.5.9-linux-amd64", ["cuda12.9-vllm0.15.1-linux-amd64"], []],
      ["cuda12.9-vllm0.15.1-linux-arm64", [], ["vendor/devel:12.9.1"]],
      ["cuda12.9-sglang0.5.9-linux-arm64", ["cuda12.9-vllm0.15.1-linux-arm64"], []],
    ]);
  });

  it("takes a stage of the same file as the base image", () => {
    const one = `${head}ARG VLLM_VERSION=1.0\nARG SGLANG_VERSION=1.0\nARG SGLANG_BASE_IMAGE=vllm\nFROM vendor/x AS vllm\nFROM \${SGLANG_BASE_IMAGE} AS sglang\n`;
    const { jobs } = plan([recipe("cuda", `  - { services: [sglang], ${amd64} }\n`, { Dockerfile: one })]);
    expect(jobs.map(({ bases, needs }) => ({ bases, needs }))).toEqual([{ bases: ["vendor/x"], needs: [] }]);
  });

  it("knows the platform in names of base images", () => {
    const one = `${head}ARG VLLM_VERSION=1.0\nFROM vendor/devel-\${TARGETARCH}:1 AS vllm\n`;
    const { jobs } = plan([recipe("cuda", "  - services: [vllm]\n", { Dockerfile: one })]);
    expect(jobs.map(({ bases }) => bases)).toEqual([["vendor/devel-amd64:1"], ["vendor/devel-arm64:1"]]);
  });

  it("leaves an image that no rule builds to its registry", () => {
    const base = 'SGLANG_BASE_IMAGE: "gpustack/runner:cuda12.9-vllm0.9.0"';
    const { jobs } = plan([cuda(`  - { services: [sglang], ${amd64}, args: { ${base} } }\n`)]);
    expect(jobs[0]?.bases).toEqual(["gpustack/runner:cuda12.9-vllm0.9.0"]);
  });
});

describe("a matrix is refused", () => {
  const where = (line: number, column: number) => `backends/runners/cuda/matrix.yaml:${line}:${column}: `;

  it.each<[string, string, Record<string, string>, string]>([
    [
      "for a service that the accelerator type has not",
      "  - services: [vlm]\n",
      {},
      `${where(3, 16)}CUDA has no such service`,
    ],
    [
      "for an argument that no ARG takes",
      '  - { services: [vllm], args: { VLM_VERSION: "1" } }\n',
      {},
      `${where(3, 33)}no ARG takes it\n  got: VLM_VERSION`,
    ],
    [
      "for a version that makes no tag",
      '  - { services: [vllm], args: { VLLM_VERSION: "main" } }\n',
      {},
      `${where(3, 47)}VLLM_VERSION: it is no version that a tag can have`,
    ],
    [
      "for capital letters",
      '  - { services: [vllm], args: { VLLM_VERSION: "1.0RC1" } }\n',
      {},
      `${where(3, 47)}VLLM_VERSION: it is no version that a tag can have`,
    ],
    [
      "for a runtime's version without a minor one",
      '  - { services: [vllm], args: { CUDA_VERSION: "12" } }\n',
      {},
      `${where(3, 47)}CUDA_VERSION: it is no version of the vendor's runtime`,
    ],
    [
      "for two rules of one tag",
      `  - { services: [vllm], ${amd64} }\n  - { services: [vllm], args: { WHEELS: "1" } }\n`,
      {},
      `${where(4, 5)}cuda12.9-vllm0.15.1-linux-amd64 is built by another rule too\n  got: backends/runners/cuda/matrix.yaml:3:5`,
    ],
    [
      "for a base image that is neither a stage nor has a tag",
      "  - services: [sglang]\n",
      {},
      "backends/runners/cuda/Dockerfile.sglang:4:1: SGLANG_BASE_IMAGE: it is neither a stage of",
    ],
    [
      "for a base image that is not built for the platform",
      `  - { services: [vllm], ${amd64} }\n  - { services: [sglang], args: { ${onVllm} } }\n`,
      {},
      `${where(4, 54)}no rule builds cuda12.9-vllm0.15.1 for linux/arm64`,
    ],
    [
      "for images that are made from each other",
      `  - { services: [vllm], ${amd64}, args: { VLLM_BASE_IMAGE: "gpustack/runner:cuda12.9-sglang0.5.9" } }\n  - { services: [sglang], ${amd64}, args: { ${onVllm} } }\n`,
      {},
      `${where(3, 5)}images are made from each other: cuda12.9-vllm0.15.1-linux-amd64, which is made from cuda12.9-sglang0.5.9-linux-amd64, which is made from cuda12.9-vllm0.15.1-linux-amd64`,
    ],
    [
      "for a Dockerfile that there is not",
      "  - { services: [vllm], dockerfile: Dockerfile.x }\n",
      {},
      `${where(3, 18)}it has no Dockerfile`,
    ],
    [
      "for a stage that there is not",
      "  - { services: [vllm], target: other }\n",
      {},
      `${where(3, 18)}backends/runners/cuda/Dockerfile has no stage other`,
    ],
    [
      "for a bad argument given by hand",
      "  - services: [vllm]\n",
      { VLLM_VERSION: "x" },
      "--arg VLLM_VERSION: VLLM_VERSION: it is no version",
    ],
    [
      "for an argument given by hand that nothing takes",
      "  - services: [vllm]\n",
      { OTHER: "x" },
      "no Dockerfile of the plan takes the argument\n  got: OTHER",
    ],
    ["for an empty one", "  - services: [vllm]\n", { WHEELS: "" }, "--arg WHEELS: the argument has no value"],
  ])("%s", (_name, matrix, args, message) => {
    expect(refusal(() => plan([cuda(matrix)], args))).toContain(message);
  });

  it("for a variant that the accelerator type has not", () => {
    const rules = '  - { services: [mindie], args: { CANN_ARCHS: "910b" } }\n';
    expect(refusal(() => plan([recipe("cann", rules, { Dockerfile: cann })]))).toContain(
      "backends/runners/cann/matrix.yaml:3:47: CANN_ARCHS: CANN has no such variant\n  got: 910b\n  expected: a3, 310p",
    );
  });

  it("for an empty value of the Dockerfile itself", () => {
    const dockerfile = "ARG CUDA_VERSION=\nARG VLLM_VERSION=1.0\nFROM scratch AS vllm\n";
    expect(refusal(() => plan([recipe("cuda", "  - services: [vllm]\n", { Dockerfile: dockerfile })]))).toContain(
      "backends/runners/cuda/Dockerfile:1:1: CUDA_VERSION: it has no value",
    );
  });

  it("for an image of the plan that the FROM names itself, which might be an older one", () => {
    const fixed = `${head}ARG SGLANG_VERSION=1.0\nFROM gpustack/runner:cuda12.9-vllm0.15.1 AS sglang\n`;
    const rules = `  - { services: [vllm, sglang], ${amd64} }\n`;
    const own = recipe("cuda", rules, { Dockerfile: vllm, "Dockerfile.sglang": fixed });
    expect(refusal(() => plan([own]))).toContain(
      "backends/runners/cuda/Dockerfile.sglang:5:1: an image of the plan is to be",
    );
  });
});

describe("a part of a plan", () => {
  const versions = ["0.1.0", "0.10.2", "0.15.1"];
  const rules = versions.map((one) => `  - { services: [vllm], args: { VLLM_VERSION: "${one}" } }\n`).join("");
  const whole = plan([cuda(`${rules}  - { services: [sglang], ${amd64}, args: { ${onVllm} } }\n`)]);
  const tags = (selection: Parameters<typeof selectBuilds>[1]) =>
    selectBuilds(whole, selection).jobs.map(({ platformTag }) => platformTag);

  it.each([
    ["cuda", 7],
    ["cuda12", 7],
    ["cuda12.9", 7],
    ["cuda12.9-vllm", 6],
    ["cuda12.9-vllm0.1", 2],
    ["cuda12.9-vllm0.15.1-dev", 2],
    ["cuda12.9-vllm0.15.1-linux-arm64", 1],
    ["cuda1", 0],
    ["cuda12.9-vl", 0],
    ["cuda12-vllm0.1", 0],
  ])("is what begins with %s by components", (tag, count) => {
    expect(tags({ tag })).toHaveLength(count);
  });

  it("has the images that it is made from, which are put together into none of several platforms", () => {
    const part = selectBuilds(whole, { service: "sglang" });
    expect(part.jobs.map(({ platformTag }) => platformTag)).toEqual([
      ...["cuda12.9-vllm0.15.1-linux-amd64", "cuda12.9-sglang0.5.9-linux-amd64"],
    ]);
    expect(part.manifests.map(({ tag }) => tag)).toEqual(["cuda12.9-sglang0.5.9"]);
  });

  it("for one platform still tells the whole image of several", () => {
    const part = selectBuilds(whole, { tag: "cuda12.9-vllm0.15", platform: "linux/amd64" });
    expect(part.jobs.map(({ platformTag }) => platformTag)).toEqual(["cuda12.9-vllm0.15.1-linux-amd64"]);
    expect(part.manifests[0]?.platformTags).toHaveLength(2);
  });
});

describe("what an image is built from", () => {
  const rules = `  - { services: [vllm], ${amd64} }\n  - { services: [sglang], ${amd64}, args: { ${onVllm} } }\n`;
  const files = ["backends/runners/cuda/Dockerfile", "backends/runners/cuda/Dockerfile.sglang"];
  const content = { dockerfiles: { [files[0] ?? ""]: "a", [files[1] ?? ""]: "b" }, contexts: { cuda: "c" } };
  const of = (args: Record<string, string> = {}, other: Partial<typeof content> = {}) =>
    Object.values(digestInputs(plan([cuda(rules)], args).jobs, { ...content, ...other }));

  it("is the same for the same input", () => {
    expect(of()).toEqual(of());
  });

  it("changes with its arguments, with its files, and with what it is made from", () => {
    const [base, onBase] = of();
    const [changed, above] = of({ WHEELS: "x" });
    expect([changed === base, above === onBase]).toEqual([false, false]);
    const [same, changedAbove] = of({}, { dockerfiles: { ...content.dockerfiles, [files[1] ?? ""]: "z" } });
    expect([same === base, changedAbove === onBase]).toEqual([true, false]);
    expect(of({}, { contexts: { cuda: "z" } })).not.toContain(base);
  });

  it("does not depend on where it is pushed to", () => {
    const elsewhere = planBuilds({ catalogue, recipes: [cuda(rules)], args: {}, prefix: "other/place" });
    expect(Object.values(digestInputs(elsewhere.jobs, content))).toEqual(of());
  });
});

describe("any matrix without a circle", () => {
  it("gives the same plan each time, in which each image comes after those that it is made from", () => {
    const chain = fc.uniqueArray(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(chain, fc.infiniteStream(fc.nat()), (numbers, random) => {
        const rules = numbers.map((number, index) => {
          const base = index === 0 ? undefined : numbers[(random.next().value as number) % index];
          const on = base === undefined ? "" : `, VLLM_BASE_IMAGE: "gpustack/runner:cuda12.9-vllm0.${base}"`;
          return {
            key: random.next().value as number,
            text: `  - { services: [vllm], args: { VLLM_VERSION: "0.${number}"${on} } }\n`,
          };
        });
        const text = [...rules]
          .sort((a, b) => a.key - b.key)
          .map((rule) => rule.text)
          .join("");
        const { jobs, manifests } = plan([cuda(text)]);
        expect(plan([cuda(text)])).toEqual({ jobs, manifests });
        expect(new Set(jobs.map(({ image }) => image)).size).toBe(numbers.length * 2);
        for (const [index, { needs }] of jobs.entries())
          for (const need of needs)
            expect(jobs.slice(0, index).some(({ platformTag }) => platformTag === need.platformTag)).toBe(true);
      }),
    );
  });
});
