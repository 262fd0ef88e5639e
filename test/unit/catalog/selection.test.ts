import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { z } from "zod";

import {
  chooseInstall,
  formatOf,
  selectBackend,
  type Platform,
  type ServedModel,
} from "../../../src/catalog/selection.js";
import { backendVersion, installMethods, type InstallMethod } from "../../../src/schema/backend.js";
import { nativeTypes } from "../../../src/schema/accelerator-type.js";

describe("selectBackend", () => {
  const served: ServedModel = { format: "safetensors", category: "llm", acceleratorType: "cuda", canServe: () => true };
  const onlyMindie = (backend: string) => backend === "mindie";

  it.each<[Partial<ServedModel>, string, string]>([
    [{}, "vllm", "the model is neither GGUF nor for speech"],
    [{ format: "other", category: "embedding" }, "vllm", "the model is neither GGUF nor for speech"],
    [{ category: "image", acceleratorType: "rocm" }, "vllm", "the model is neither GGUF nor for speech"],
    [{ format: "gguf" }, "llama-cpp", "the model is GGUF"],
    [{ format: "gguf", prefer: "llama-cpp" }, "llama-cpp", "the model is GGUF"],
    [{ format: "gguf", prefer: "llama-box" }, "llama-box", "the model is GGUF, and the stack prefers llama-box"],
    [{ format: "gguf", acceleratorType: "cann" }, "llama-cpp", "the model is GGUF"],
    [{ prefer: "llama-box" }, "vllm", "the model is neither GGUF nor for speech"],
    [{ category: "stt" }, "vox-box", "the model is for speech to text"],
    [{ category: "tts", acceleratorType: "cann" }, "vox-box", "the model is for text to speech"],
    [{ acceleratorType: "cann" }, "vllm", "the devices are of type cann, which this version of vllm serves"],
    [
      { acceleratorType: "cann", canServe: onlyMindie },
      "mindie",
      "the devices are of type cann, which this version of vllm does not serve",
    ],
    [{ acceleratorType: "cuda", canServe: onlyMindie }, "vllm", "the model is neither GGUF nor for speech"],
  ])("of %j takes %s: %s", (model, backend, reason) => {
    expect(selectBackend({ ...served, ...model })).toEqual({ backend, reason });
  });

  it("gives one of its five backends and a reason of one line for any model", () => {
    const model = fc.record({
      format: fc.constantFrom("gguf", "safetensors", "other"),
      category: fc.constantFrom("llm", "vlm", "embedding", "reranker", "stt", "tts", "image"),
      acceleratorType: fc.constantFrom(...nativeTypes),
      prefer: fc.constantFrom(undefined, "llama-box", "llama-cpp"),
      canServe: fc.constantFrom(
        () => true,
        () => false,
      ),
    } as const);
    fc.assert(
      fc.property(model, (asked) => {
        const { backend, reason } = selectBackend(asked);
        expect(["llama-cpp", "llama-box", "vox-box", "mindie", "vllm"]).toContain(backend);
        expect(backend.startsWith("llama")).toBe(asked.format === "gguf");
        expect(reason).toMatch(/^[^\n]{5,100}$/);
      }),
    );
  });
});

describe("formatOf", () => {
  it.each([
    [["model.gguf"], "gguf"],
    [["Q4/model-00001-of-00002.GGUF", "Q4/model-00002-of-00002.GGUF", "README.md"], "gguf"],
    [["config.json", "model-00001-of-00002.safetensors"], "safetensors"],
    [["config.json", "model.safetensors", "model.gguf"], "safetensors"],
    [["config.json", "pytorch_model.bin"], "other"],
    [["gguf", "model.gguf.txt", "safetensors.index.json"], "other"],
    [[], "other"],
  ])("of %j is %s", (files, format) => {
    expect(formatOf(files)).toBe(format);
  });
});

/** What llama.cpp releases: no archive for CUDA on Linux. */
const archive = (os: string, arch: string, ...types: string[]) => ({
  ...{ os, arch, url: `https://example.com/${os}-${arch}-${types.join("-")}.tar.gz`, executable: "llama-server" },
  ...(types.length === 0 ? {} : { acceleratorTypes: types }),
});
const entryOf = (install: object) =>
  backendVersion.parse({ install } satisfies { install: z.input<typeof backendVersion>["install"] });
const binary = [
  archive("linux", "x64"),
  archive("linux", "x64", "rocm"),
  archive("linux", "arm64"),
  archive("darwin", "arm64", "metal", "cpu"),
  archive("windows", "x64", "cuda"),
];
const pipx = { package: "xllamacpp" };
const image = { reference: "ghcr.io/ggml-org/llama.cpp:server-cuda-b11434", acceleratorTypes: ["cuda"] };

const on = (os: Platform["os"], arch: Platform["arch"], acceleratorType: Platform["acceleratorType"]): Platform => ({
  os,
  arch,
  acceleratorType,
});

describe("chooseInstall", () => {
  const llamaCpp = entryOf({ binary, pipx, image, manual: {} });

  it.each<[Platform, string, string | undefined]>([
    [on("linux", "x64", "cpu"), "binary for linux/x64 and cpu", binary[0]?.url],
    [on("linux", "arm64", "cpu"), "binary for linux/arm64 and cpu", binary[2]?.url],
    [on("linux", "x64", "rocm"), "binary for linux/x64 and rocm", binary[1]?.url],
    [on("darwin", "arm64", "metal"), "binary for darwin/arm64 and metal", binary[3]?.url],
    [on("windows", "x64", "cuda"), "binary for windows/x64 and cuda", binary[4]?.url],
  ])("of %j takes the archive for it: %s", (platform, reason, url) => {
    const choice = chooseInstall(llamaCpp, platform);
    expect(choice).toEqual({
      ok: true,
      method: "binary",
      reason,
      artifact: expect.objectContaining({ url }) as unknown,
    });
  });

  it("takes an image on NVIDIA hosts, because there is no CUDA archive for Linux", () => {
    const { install } = llamaCpp;
    expect(chooseInstall(llamaCpp, on("linux", "x64", "cuda"))).toEqual({
      ok: true,
      method: "image",
      image: install.image,
      platform: "linux/amd64",
      reason: "image for linux/x64 and cuda (binary: none for linux/x64 and cuda; pipx: does not serve cuda)",
    });
  });

  it("takes what comes first of binary, pipx, image, manual", () => {
    const everywhere = { acceleratorTypes: ["cpu"] };
    const install = { binary, pipx, image: { ...image, ...everywhere }, manual: everywhere };
    const left = new Map<string, object>(Object.entries(install));
    const chosen = installMethods.map((method) => {
      const choice = chooseInstall(entryOf(Object.fromEntries(left)), on("linux", "x64", "cpu"));
      left.delete(method);
      return choice.ok ? choice.method : choice.reasons;
    });
    expect(chosen).toEqual(["binary", "pipx", "image", "manual"]);
  });

  it("never lets a CPU build serve a placement on devices", () => {
    const cpuOnly = entryOf({ binary: [archive("linux", "x64")], pipx });
    expect(chooseInstall(cpuOnly, on("linux", "x64", "cuda"))).toEqual({
      ok: false,
      reasons: [
        "binary: none for linux/x64 and cuda; there are linux/x64 cpu",
        "pipx: does not serve cuda, only cpu",
        "image: this version has none",
        "manual: this version has none",
      ],
    });
  });

  it("nor a build for devices a placement without them", () => {
    const cudaOnly = entryOf({ binary: [archive("linux", "x64", "cuda")], image });
    expect(chooseInstall(cudaOnly, on("linux", "x64", "cpu"))).toMatchObject({
      reasons: [
        "binary: none for linux/x64 and cpu; there are linux/x64 cuda",
        "pipx: this version has none",
        "image: does not serve cpu, only cuda",
        "manual: this version has none",
      ],
    });
  });

  it("says of each method why it does not fit", () => {
    const entry = entryOf({
      binary,
      pipx: { ...pipx, os: ["linux"], acceleratorTypes: ["cuda"] },
      image: { ...image, platforms: ["linux/arm64"] },
      manual: { acceleratorTypes: ["cann"] },
    });
    expect(chooseInstall(entry, on("darwin", "arm64", "cuda"))).toEqual({
      ok: false,
      reasons: [
        "binary: none for darwin/arm64 and cuda; there are linux/x64 cpu, linux/x64 rocm, linux/arm64 cpu, darwin/arm64 metal+cpu, windows/x64 cuda",
        "pipx: not for darwin, only for linux",
        "image: not on darwin, only on linux",
        "manual: does not serve cuda, only cann",
      ],
    });
    const small = entryOf({ pipx: { ...pipx, arch: ["x64"] }, image: { ...image, platforms: ["linux/amd64"] } });
    expect(chooseInstall(small, on("linux", "arm64", "cuda"))).toMatchObject({
      reasons: [
        "binary: this version has none",
        "pipx: not for arm64, only for x64",
        "image: not for linux/arm64, only for linux/amd64",
        "manual: this version has none",
      ],
    });
  });

  it("takes the image of an architecture where there is one", () => {
    const entry = entryOf({ image: { ...image, platforms: ["linux/amd64", "linux/arm64"] } });
    expect(chooseInstall(entry, on("linux", "arm64", "cuda"))).toMatchObject({ ok: true, platform: "linux/arm64" });
  });

  it("takes an image and an administrator's executable for any accelerator, where they name none", () => {
    const { acceleratorTypes: _, ...anyImage } = image;
    for (const type of nativeTypes) {
      expect(chooseInstall(entryOf({ image: anyImage }), on("linux", "x64", type))).toMatchObject({ method: "image" });
      expect(chooseInstall(entryOf({ manual: {} }), on("windows", "arm64", type))).toMatchObject({ method: "manual" });
    }
  });

  it.each<[InstallMethod, string]>([
    ["binary", "binary for linux/x64 and cpu"],
    ["pipx", "pipx for linux/x64 and cpu"],
    ["manual", "manual for linux/x64 and cpu"],
  ])("takes %s when asked for it", (asked, reason) => {
    expect(chooseInstall(llamaCpp, on("linux", "x64", "cpu"), asked)).toMatchObject({
      ok: true,
      method: asked,
      reason,
    });
  });

  it("takes no other method than the asked one, and says why not that", () => {
    expect(chooseInstall(llamaCpp, on("linux", "x64", "cpu"), "image")).toEqual({
      ok: false,
      reasons: ["image: does not serve cpu, only cuda"],
    });
    expect(chooseInstall(entryOf({ binary }), on("linux", "x64", "cpu"), "manual")).toEqual({
      ok: false,
      reasons: ["manual: this version has none"],
    });
  });

  it("gives what serves the platform, or a reason for each method, for any version", () => {
    const types = fc.option(fc.uniqueArray(fc.constantFrom(...nativeTypes), { minLength: 1, maxLength: 3 }), {
      nil: undefined,
    });
    const os = fc.constantFrom("linux", "darwin", "windows" as const);
    const arch = fc.constantFrom("x64", "arm64" as const);
    const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
    const install = fc.record({
      binary: optional(
        fc.array(fc.record({ os, arch, acceleratorTypes: types, url: fc.constant("https://example.com/a") }), {
          minLength: 1,
          maxLength: 4,
        }),
      ),
      pipx: optional(
        fc.record({ package: fc.constant("engine"), acceleratorTypes: types, os: fc.tuple(os), arch: fc.tuple(arch) }),
      ),
      image: optional(
        fc.record({
          reference: fc.constant("engine:1"),
          acceleratorTypes: types,
          platforms: fc.tuple(fc.constantFrom("linux/amd64", "linux/arm64" as const)),
        }),
      ),
      manual: optional(fc.record({ acceleratorTypes: types })),
    });
    const platform = fc.record({ os, arch, acceleratorType: fc.constantFrom(...nativeTypes) });
    const asked = optional(fc.constantFrom(...installMethods));
    fc.assert(
      fc.property(install, platform, asked, (written, place, method) => {
        const choice = chooseInstall(entryOf(written), place, method);
        if (!choice.ok) {
          const methods = method === undefined ? installMethods : [method];
          expect(choice.reasons.map((reason) => reason.split(":")[0])).toEqual(methods);
          return;
        }
        if (method !== undefined) expect(choice.method).toBe(method);
        const served = {
          binary: () => choice.method === "binary" && (choice.artifact.acceleratorTypes ?? ["cpu"]),
          pipx: () => choice.method === "pipx" && (choice.pipx.acceleratorTypes ?? ["cpu"]),
          image: () => choice.method === "image" && (choice.image.acceleratorTypes ?? nativeTypes),
          manual: () => choice.method === "manual" && (choice.manual.acceleratorTypes ?? nativeTypes),
        }[choice.method]();
        expect(served).toContain(place.acceleratorType);
        if (choice.method === "binary") expect(choice.artifact).toMatchObject({ os: place.os, arch: place.arch });
        if (choice.method === "image") expect(place.os).toBe("linux");
        expect(choice.reason).toMatch(/^[^\n]+$/);
      }),
      { numRuns: 2_000 },
    );
  });
});
