import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { fileAddress, filesOf, identifyFiles } from "../../../src/model/repository.js";
import { lockedFiles, lockedModel } from "../../../src/schema/model.js";

const file = (path: string, digit = "a") => ({ path, sizeBytes: 1, sha256: digit.repeat(64) });

describe("a model's identity", () => {
  it("is the SHA-256 of its one file, whatever its name", () => {
    expect(identifyFiles([file("b/c.gguf")])).toBe("a".repeat(64));
  });

  it("is the same for the same files in any order, and another when a path or a byte differs", () => {
    const files = [file("a", "1"), file("b", "2"), file("c", "3")];
    const identity = identifyFiles(files);
    expect(identifyFiles(files.toReversed())).toBe(identity);
    expect(identifyFiles([file("a", "1"), file("b", "2"), file("d", "3")])).not.toBe(identity);
    expect(identifyFiles([file("a", "1"), file("b", "2"), file("c", "4")])).not.toBe(identity);
  });
});

it("finds a file at the commit, each part of its path encoded", () => {
  const from = { repo: "acme/tiny", commit: "c".repeat(40) };
  expect(fileAddress(from, "a b/c?#.gguf")).toBe(
    `https://huggingface.co/acme/tiny/resolve/${"c".repeat(40)}/a%20b/c%3F%23.gguf`,
  );
  expect(fileAddress({ ...from, endpoint: "https://hub.example/mirror/" }, "a")).toBe(
    `https://hub.example/mirror/acme/tiny/resolve/${"c".repeat(40)}/a`,
  );
});

describe("the files of a locked model", () => {
  const repository = (paths: readonly string[]) => ({
    from: {
      source: "huggingface",
      repo: "acme/tiny",
      revision: "main",
      commit: "c".repeat(40),
      files: paths.map((path) => file(path)),
    },
    file: ".",
    sha256: "a".repeat(64),
  });

  it("are those of the repository, or the one that a person has pinned", () => {
    const single = lockedModel.parse({ from: { source: "url", url: "u" }, file: "m.gguf", sha256: "a".repeat(64) });
    expect(filesOf(single)).toEqual([{ path: "m.gguf", sha256: "a".repeat(64), sizeBytes: undefined }]);
    expect(filesOf(lockedModel.parse(repository(["a/b", "c"]))).map(({ path }) => path)).toEqual(["a/b", "c"]);
  });

  it.each([
    "../a",
    "a/../b",
    "a/..",
    "..",
    ".",
    "./a",
    "/a",
    "a//b",
    "a/",
    "",
    "a\\b",
    "a\nb",
    "a\u0000",
    "a\u007f",
    "a\u0085b",
    "a\u202eb",
    "a\u200bb",
    "placement.json",
    "a".repeat(201),
  ])("never lie at %j", (path) => {
    expect(lockedModel.safeParse(repository([path])).success).toBe(false);
  });

  it.each(["a", ".a", "..a", "a..b/c.d", "モデル/m 1.gguf", "sub/placement.json", "a'b\"c$(d)"])(
    "may lie at %j",
    (path) => {
      expect(lockedModel.safeParse(repository([path])).success).toBe(true);
    },
  );

  it("never lie at one path twice, nor in a folder that is a file", () => {
    for (const paths of [
      ["a", "a"],
      ["a/b", "a"],
      ["a", "a/b/c"],
    ])
      expect(lockedFiles.safeParse(paths.map((path) => file(path))).success).toBe(false);
    expect(lockedFiles.safeParse([]).success).toBe(false);
  });

  it("lie below the folder, whatever path the schema lets through", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 12 }),
        fc.array(fc.constantFrom("/", "..", ".", "a")),
        (a, b) => {
          const path = a + b.join("");
          if (!lockedModel.safeParse(repository([path])).success) return;
          const parts = path.split("/");
          expect(parts.some((part) => part === "" || part === "." || part === "..")).toBe(false);
        },
      ),
    );
  });
});
