import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { chooseFiles, matchesPattern } from "../../../src/model/file-choice.js";
import type { RepositoryFile } from "../../../src/model/repository.js";
import { thrownBy } from "../support/thrown.js";

const where = "deployment chat, acme/tiny";
const fileOf = (path: string): RepositoryFile => ({ path, sizeBytes: 1000, sha256: undefined, gitSha1: undefined });
const choose = (paths: readonly string[], patterns?: readonly string[]) => {
  const { files, ...rest } = chooseFiles(paths.map(fileOf), patterns, where);
  return { ...rest, files: files.map(({ path }) => path) };
};
const config = ["config.json", "generation_config.json", "merges.txt", "tokenizer.json", "tokenizer.model"];
const noise = [".gitattributes", "README.md", "LICENSE", "logo.png"];

describe("the files of a model, when the stack does not say which", () => {
  it("are safetensors with configuration and tokenizer, and no copy for another framework", () => {
    const weights = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    const index = "model.safetensors.index.json";
    const copies = ["pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "onnx/model.onnx", "onnx/config.json"];
    const others = [
      "original/consolidated.00.pth",
      "original/params.json",
      "model.gguf",
      "openvino/openvino_model.xml",
    ];
    expect(choose([...noise, ...copies, ...others, ...config, ...weights, index])).toEqual({
      format: "safetensors",
      file: ".",
      projector: undefined,
      files: [...config, ...weights, index].sort(),
    });
  });

  it("are the modules of sentence-transformers too, in their folders", () => {
    const paths = ["1_Pooling/config.json", "config.json", "model.safetensors", "modules.json"];
    expect(choose(paths).files).toEqual(paths);
  });

  it.each([
    [["consolidated.safetensors", "model.safetensors"], ["model.safetensors"]],
    [["consolidated.safetensors"], ["consolidated.safetensors"]],
    [
      ["unet/m.fp16.safetensors", "unet/m.safetensors", "vae/n.fp16.safetensors"],
      ["unet/m.safetensors", "vae/n.fp16.safetensors"],
    ],
  ])("have no weights twice: of %j", (paths, chosen) => {
    expect(choose(paths).files).toEqual(chosen);
  });

  it("are PyTorch's files where there is nothing else, without what training left", () => {
    const choice = choose(["config.json", "optimizer.pt", "pytorch_model.bin", "training_args.bin"]);
    expect(choice).toMatchObject({ format: "other", file: ".", files: ["config.json", "pytorch_model.bin"] });
  });

  it("are the one GGUF file there is, with its projector", () => {
    expect(choose([...noise, "config.json", "tiny-Q4_K_M.gguf", "mmproj-tiny-f16.gguf", "tiny.imatrix.gguf"])).toEqual({
      format: "gguf",
      file: "tiny-Q4_K_M.gguf",
      projector: "mmproj-tiny-f16.gguf",
      files: ["mmproj-tiny-f16.gguf", "tiny-Q4_K_M.gguf"],
    });
  });

  it("are all parts of a GGUF model that was split, and engines are given the first", () => {
    const parts = [1, 2, 3].map((part) => `Q8/tiny-0000${part}-of-00003.gguf`);
    expect(choose(parts.toReversed())).toMatchObject({ file: parts[0], files: parts });
  });

  it("have the half-precision projector of several", () => {
    const projectors = ["mmproj-BF16.gguf", "mmproj-F16.gguf", "mmproj-F32.gguf"];
    expect(choose([...projectors, "tiny.gguf"])).toMatchObject({ projector: "mmproj-F16.gguf" });
  });
});

describe("several models in one repository", () => {
  it("are refused, with each and its size, and how one is named", () => {
    const parts = ["tiny-Q8_0-00001-of-00002.gguf", "tiny-Q8_0-00002-of-00002.gguf"];
    const error = thrownBy(() => choose(["tiny-Q2_K.gguf", "tiny-Q4_K_M.gguf", ...parts]));
    expect(error.code).toBe("stack-inconsistent");
    expect(error.message).toContain('`files: ["tiny-Q4_K_M.gguf"]`');
    expect(error.parts.detail).toBe(
      "tiny-Q2_K.gguf (1.0 kB)\ntiny-Q4_K_M.gguf (1.0 kB)\ntiny-Q8_0-00001-of-00002.gguf (2.0 kB)",
    );
  });

  it("are told apart by patterns, of which each must match all parts", () => {
    const parts = ["Q8/tiny-00001-of-00002.gguf", "Q8/tiny-00002-of-00002.gguf"];
    expect(choose(["tiny-Q4_K_M.gguf", ...parts], ["*Q4_K_M*"]).files).toEqual(["tiny-Q4_K_M.gguf"]);
    expect(choose(["tiny-Q4_K_M.gguf", ...parts], ["Q8/*"]).files).toEqual(parts);
    const error = thrownBy(() => choose(parts, ["*-00002-of-00002.gguf"]));
    expect(error.message).toContain("a GGUF model that was split lacks parts");
  });
});

describe("patterns", () => {
  it.each([
    ["*.gguf", "a/b.gguf", true],
    ["*.gguf", "a.GGUF", false],
    ["?.json", "a.json", true],
    ["?.json", "ab.json", false],
    ["a+b(1).bin", "a+b(1).bin", true],
    ["a.b", "aXb", false],
  ])("%s of %s: %s", (pattern, path, matches) => {
    expect(matchesPattern(path, pattern)).toBe(matches);
  });

  it("take what they say, also what Berth would leave out", () => {
    expect(choose(["config.json", "model.safetensors", "onnx/a.onnx"], ["*.safetensors", "onnx/*"]).files).toEqual([
      "model.safetensors",
      "onnx/a.onnx",
    ]);
  });

  it("that match nothing are refused with what there is", () => {
    const error = thrownBy(() => choose(["config.json", "model.safetensors"], ["*.gguf"]));
    expect(error.code).toBe("model-unavailable");
    expect(error.parts).toMatchObject({ got: "*.gguf", detail: "config.json\nmodel.safetensors" });
  });

  it("without stars match themselves alone, whatever they hold", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z./+()^$|-]{1,40}$/), (path) => {
        expect(matchesPattern(path, path)).toBe(true);
        expect(matchesPattern(`${path}x`, path)).toBe(false);
        expect(matchesPattern(path, `${path.slice(0, 3)}*`)).toBe(true);
        expect(matchesPattern(path, "**")).toBe(true);
      }),
    );
  });
});

it("refuses a repository without weights, with what it holds", () => {
  const error = thrownBy(() => choose(noise));
  expect(error.code).toBe("model-unavailable");
  expect(error.message).toContain("holds no weights that Berth knows");
  expect(error.message).toContain("README.md");
});

it("chooses the same in whatever order the files are listed", () => {
  const paths = [...config, "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "a/x.gguf"];
  fc.assert(
    fc.property(fc.shuffledSubarray(paths, { minLength: paths.length }), (shuffled) => {
      expect(choose(shuffled)).toEqual(choose(paths));
    }),
  );
});
