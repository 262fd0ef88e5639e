import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { z } from "zod";

import { defaultDataDir } from "../../../src/host/facts.js";
import {
  backendFolder,
  dataPaths,
  defaultBinDir,
  executableName,
  executablePath,
  modelPath,
} from "../../../src/host/paths.js";
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
    expect(executablePath({ dataDir: "/data" }, "vllm", "0.10.1")).toBe("/data/bin/vllm_0.10.1");
    expect(backendFolder("/data", "vllm", "0.10.1")).toBe("/data/backends/vllm_0.10.1");
    expect(modelPath("/data", "abc", "m.gguf")).toBe("/data/models/abc/m.gguf");
  });

  it("have executables in a folder of their own, where the host has one", () => {
    const place = { dataDir: "/data", binDir: "/opt/bin" };
    expect(executablePath(place, "vllm", "v0.7.3")).toBe("/opt/bin/vllm_v0.7.3");
  });

  const text = fc.string({ unit: fc.constantFrom("a", "1", "-", ".", "_", "/", "\\"), minLength: 1, maxLength: 6 });
  const allowed = (schema: z.ZodType) => text.filter((each) => schema.safeParse(each).success);

  it("never leave their folder for any name that a stack may have", () => {
    fc.assert(
      fc.property(allowed(name), allowed(version), allowed(fileName), (backend, release, file) => {
        expect(executablePath({ dataDir: "/data" }, backend, release)).toBe(`/data/bin/${backend}_${release}`);
        expect(modelPath("/data", "abc", file)).toBe(`/data/models/abc/${file}`);
      }),
    );
  });

  it("are different for different versions, because no backend's name has a _", () => {
    const named = fc.tuple(fc.constantFrom("a", "a-1", "b"), fc.constantFrom("1", "1_1", "a_1", "1-a"));
    fc.assert(
      fc.property(named, named, (one, other) => {
        const same = executablePath({ dataDir: "/data" }, ...one) === executablePath({ dataDir: "/data" }, ...other);
        expect(same).toBe(one.join(" ") === other.join(" "));
      }),
    );
    expect(name.safeParse("a_1").success).toBe(false);
  });
});

describe("executableName", () => {
  it("is the backend and its version, with .exe on Windows alone", () => {
    expect(executableName("vllm", "v0.7.3")).toBe("vllm_v0.7.3");
    expect(executableName("vllm", "v0.7.3", "linux")).toBe("vllm_v0.7.3");
    expect(executableName("vllm", "v0.7.3", "darwin")).toBe("vllm_v0.7.3");
    expect(executableName("vllm", "v0.7.3", "windows")).toBe("vllm_v0.7.3.exe");
  });
});

describe("defaultBinDir", () => {
  it.each(["linux", "darwin"] as const)("lies in the default data directory on %s, for root and for others", (os) => {
    for (const [user, home] of [
      ["root", "/root"],
      ["ann", "/home/ann"],
    ] as const) {
      expect(defaultBinDir(os, { root: user === "root", home })).toBe(dataPaths(defaultDataDir({ user, home })).bin);
    }
  });

  it("is /var/lib/berth/bin for root, and below the home for others", () => {
    expect(defaultBinDir("linux", { root: true, home: "/root" })).toBe("/var/lib/berth/bin");
    expect(defaultBinDir("darwin", { root: false, home: "/Users/ann" })).toBe("/Users/ann/.local/share/berth/bin");
  });

  it("is below %AppData% on Windows, wherever that is, for administrators too", () => {
    const home = "C:\\Users\\ann";
    expect(defaultBinDir("windows", { root: false, home, appData: "D:\\Data" })).toBe("D:\\Data\\berth\\bin");
    expect(defaultBinDir("windows", { root: true, home })).toBe("C:\\Users\\ann\\AppData\\Roaming\\berth\\bin");
  });
});
