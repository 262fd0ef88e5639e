import { describe, expect, it } from "vitest";

import { readLiveProcess, variablesOf } from "../../../src/runtime/live-process.js";
import { MemoryHost } from "../support/memory-host.js";

/** A host of whose processes only the arguments may be read, as of another user's. */
class ClosedHost extends MemoryHost {
  override readLink(): Promise<string | undefined> {
    return Promise.reject(Object.assign(new Error("denied"), { code: "EACCES" }));
  }
  override sha256(): Promise<string> {
    return this.readLink() as Promise<string>;
  }
  override readText(path: string): Promise<string | undefined> {
    return path.endsWith("environ") ? this.readLink() : super.readText(path);
  }
}

describe("a live process", () => {
  it("of another user is told as far as it may be read, and why not further", async () => {
    const host = new ClosedHost();
    host.files.set("/proc/self", "");
    host.files.set("/proc/7/cmdline", "/bin/engine\0\0--seed\0");
    const denied = (name: string) => ({ unknown: `no permission to read: /proc/7/${name}` });
    expect(await readLiveProcess(host, 7)).toEqual({
      executable: denied("exe"),
      executableSha256: denied("exe"),
      argv: { value: ["/bin/engine", "", "--seed"] },
      environment: denied("environ"),
    });
  });

  it("of a host without /proc cannot be told", async () => {
    const unknown = { unknown: "the host has no /proc" };
    expect(await readLiveProcess(new MemoryHost(), 7)).toEqual({
      executable: unknown,
      executableSha256: unknown,
      argv: unknown,
      environment: unknown,
    });
  });

  it("fails for what is wrong with the way to the host", async () => {
    const host = new ClosedHost();
    host.files.set("/proc/self", "");
    host.readLink = () => Promise.reject(Object.assign(new Error("gone"), { code: "ECONNRESET" }));
    await expect(readLiveProcess(host, 7)).rejects.toThrow("gone");
  });
});

describe("variables", () => {
  it("are read as getenv does: the first of a name, and nothing without a name", () => {
    expect(variablesOf(["A=1", "A=2", "B=x=y", "=no", "none", "__proto__=z", ""])).toEqual(
      Object.fromEntries([["A", "1"], ["B", "x=y"], ["__proto__", "z"]]), // prettier-ignore
    );
  });
});
