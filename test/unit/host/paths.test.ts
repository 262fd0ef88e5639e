import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { z } from "zod";

import { backendFolder, dataPaths, executablePath, modelPath } from "../../../src/host/paths.js";
import { fileName, name, version } from "../../../src/schema/scalars.js";

describe("dataPaths", () => {
  it("lie below the data directory, each in a place of its own", () => {
    const { root, ...places } = dataPaths("/data");
    expect(root).toBe("/data");
    const paths: string[] = Object.values(places);
    expect(paths.every((path) => /^\/data\/[a-z.]+$/.test(path))).toBe(true);
    expect(new Set(paths).size).toBe(paths.length);
  });
});

describe("the paths of backend versions and models", () => {
  it("are named by backend and version, and by content", () => {
    expect(executablePath("/data", "vllm", "0.10.1")).toBe("/data/bin/vllm_0.10.1");
    expect(backendFolder("/data", "vllm", "0.10.1")).toBe("/data/backends/vllm_0.10.1");
    expect(modelPath("/data", "abc", "m.gguf")).toBe("/data/models/abc/m.gguf");
  });

  const text = fc.string({ unit: fc.constantFrom("a", "1", "-", ".", "_", "/", "\\"), minLength: 1, maxLength: 6 });
  const allowed = (schema: z.ZodType) => text.filter((each) => schema.safeParse(each).success);

  it("never leave their folder for any name that a stack may have", () => {
    fc.assert(
      fc.property(allowed(name), allowed(version), allowed(fileName), (backend, release, file) => {
        expect(executablePath("/data", backend, release)).toBe(`/data/bin/${backend}_${release}`);
        expect(modelPath("/data", "abc", file)).toBe(`/data/models/abc/${file}`);
      }),
    );
  });

  it("are different for different versions, because no backend's name has a _", () => {
    const named = fc.tuple(fc.constantFrom("a", "a-1", "b"), fc.constantFrom("1", "1_1", "a_1", "1-a"));
    fc.assert(
      fc.property(named, named, (one, other) => {
        const same = executablePath("/data", ...one) === executablePath("/data", ...other);
        expect(same).toBe(one.join(" ") === other.join(" "));
      }),
    );
    expect(name.safeParse("a_1").success).toBe(false);
  });
});
