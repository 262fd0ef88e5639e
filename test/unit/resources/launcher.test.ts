import { describe, expect, it } from "vitest";

import { Serial } from "../../../src/lib/serial.js";
import { createLauncher } from "../../../src/resources/launcher.js";
import { MemoryHost } from "../support/memory-host.js";
import { rejectionOf } from "../support/thrown.js";

const python = "/usr/bin/python3";
const words = [python, "-I", "/data/tools/exec.py"];

interface Given {
  script?: string;
  find?: () => Promise<{ path: string } | undefined>;
}

const finding = (path?: string) => () => Promise.resolve(path === undefined ? undefined : { path });

function launcherOf(host: MemoryHost, { script = "import os", find = finding(python) }: Given = {}) {
  return createLauncher({
    host,
    dataDir: "/data",
    serial: new Serial(),
    content: { backendFile: () => Promise.reject(new Error()), pythonTool: () => Promise.resolve(script) },
    find,
  });
}

describe("a launcher", () => {
  it("is told without a change of the host, and then made as it was told", async () => {
    const host = new MemoryHost();
    const launcher = launcherOf(host);
    expect(await launcher.findLauncher()).toEqual(words);
    expect([...host.files]).toEqual([]);
    expect(await launcher.makeLauncher()).toEqual(words);
    expect([...host.files]).toEqual([
      ["/data/tools/python", `${python}\n`],
      ["/data/tools/exec.py", "import os"],
    ]);
  });

  it("stays the same when an upgrade brings another script, and when another Python is found", async () => {
    const host = new MemoryHost();
    host.files.set(python, "");
    await launcherOf(host).makeLauncher();
    const upgraded = launcherOf(host, { script: "import sys", find: finding("/opt/bin/python3") });
    expect(await upgraded.findLauncher()).toEqual(words);
    expect(host.files.get("/data/tools/exec.py")).toBe("import os");
    expect(await upgraded.makeLauncher()).toEqual(words);
    expect(host.files.get("/data/tools/exec.py")).toBe("import sys");
  });

  it("needs no search where the recorded Python is there", async () => {
    const host = new MemoryHost();
    host.files.set(python, "");
    host.files.set("/data/tools/python", `${python}\n`);
    const launcher = launcherOf(host, { find: () => Promise.reject(new Error("a search")) });
    expect(await launcher.findLauncher()).toEqual(words);
    expect(await launcher.makeLauncher()).toEqual(words);
  });

  it("is the Python that is found, when the recorded one is gone", async () => {
    const host = new MemoryHost();
    host.files.set("/data/tools/python", "/opt/gone/python3\n");
    const launcher = launcherOf(host);
    expect(await launcher.findLauncher()).toEqual(words);
    expect(await launcher.makeLauncher()).toEqual(words);
    expect(host.files.get("/data/tools/python")).toBe(`${python}\n`);
  });

  it("is none where no Python is found", async () => {
    const host = new MemoryHost();
    const launcher = launcherOf(host, { find: finding() });
    expect(await launcher.findLauncher()).toBeUndefined();
    expect((await rejectionOf(launcher.makeLauncher())).code).toBe("host-unsuitable");
  });
});
