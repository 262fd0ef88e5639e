import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it, vi } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { temporaryFolder } from "../support/temporary-folder.js";

vi.mock("node:fs/promises", async (original) => ({
  ...(await original<object>()),
  link: () => Promise.reject(Object.assign(new Error("operation not permitted"), { code: "EPERM" })),
}));

describe("a file system without hard links", () => {
  it("has a file created once", async () => {
    const folder = await temporaryFolder();
    const host = new LocalHost("local", { PATH: "/usr/bin:/bin", HOME: folder });
    const path = join(folder, "lock.json");
    expect(await host.createFile(path, "one")).toBe(true);
    expect(await host.createFile(path, "two")).toBe(false);
    expect(await readFile(path, "utf8")).toBe("one");
    expect(await readdir(folder)).toEqual(["lock.json"]);
  });
});
