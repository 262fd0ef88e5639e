import { chmod, mkdir, readdir, rm, stat, symlink, unlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { beforeEach, describe, expect, it } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { adoptExecutable, manualDrift } from "../../../src/install/manual.js";
import { sha256 } from "../../../src/lib/canonical.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/" });
const text = "#!/bin/sh\necho engine 1\n";

describe("an executable that an administrator put into the bin directory", () => {
  let root: string;
  let bin: string;
  let path: string;

  beforeEach(async () => {
    root = await temporaryFolder();
    bin = join(root, "bin");
    path = join(bin, "engine_v1.0");
    await mkdir(bin);
  });

  async function put(file = path, content = text, mode = 0o755): Promise<void> {
    await writeFile(file, content);
    await chmod(file, mode);
  }

  describe("adoptExecutable", () => {
    it("takes a file as it is", async () => {
      await put();
      const { ctimeNs } = await stat(path, { bigint: true });
      const adopted = await adoptExecutable({ host }, { path, sha256: sha256(text) });
      expect(adopted).toEqual({ path, sha256: sha256(text), sizeBytes: text.length, changedAt: String(ctimeNs) });
    });

    it("takes a link to a file elsewhere, through folders that are links too", async () => {
      await mkdir(join(root, "opt"));
      await put(join(root, "opt", "engine"));
      await symlink("opt", join(root, "current"));
      await symlink("../current/engine", path);
      expect(await adoptExecutable({ host }, { path })).toMatchObject({ path, sha256: sha256(text) });
    });

    it("says where to put it when nothing is there, and what is there under other names", async () => {
      await put(join(bin, "engine_1.0"));
      await put(join(bin, "other_v1.0"));
      await expect(adoptExecutable({ host }, { path })).rejects.toMatchObject({
        code: "file-not-found",
        parts: {
          where: `host local: ${path}`,
          got: `in ${bin}: engine_1.0`,
          expected: "engine_v1.0, by the rule <backend>_<version>",
          hint: expect.stringContaining(path) as string,
        },
      });
      await rm(bin, { recursive: true });
      await expect(adoptExecutable({ host }, { path })).rejects.toMatchObject({
        code: "file-not-found",
        parts: { got: `nothing of engine in ${bin}` },
      });
    });

    it.each([
      {
        what: "a link that leads nowhere",
        make: () => symlink("../gone", path),
        code: "file-not-found",
        got: () => `a link to ${join(root, "gone")}`,
      },
      { what: "a folder", make: () => mkdir(path), code: "host-unsuitable", got: () => "a folder" },
      {
        what: "a link to a folder",
        make: () => symlink(root, path),
        code: "file-not-found",
        got: () => `a link to ${root}`,
      },
      {
        what: "a file without the executable bit",
        make: () => put(path, text, 0o644),
        code: "host-unsuitable",
        got: () => "mode 0644",
      },
      {
        what: "another file than the one that is pinned",
        make: () => put(path, "other"),
        code: "checksum-mismatch",
        got: () => `sha256 ${sha256("other")} (5 bytes)`,
      },
    ])("refuses $what, and leaves it as it is", async ({ make, code, got }) => {
      await make();
      const before = await host.status(path);
      const failure = adoptExecutable({ host }, { path, sha256: sha256(text) });
      await expect(failure).rejects.toMatchObject({
        code,
        parts: { got: got(), expected: expect.any(String) as string, hint: expect.any(String) as string },
      });
      expect(await host.status(path)).toEqual(before);
    });

    it("says so when it may not read the file", async () => {
      await put();
      class ClosedHost extends LocalHost {
        override sha256(): Promise<string> {
          return Promise.reject(Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" }));
        }
      }
      const closed = new ClosedHost("local", { PATH: process.env.PATH ?? "", HOME: "/" });
      await expect(adoptExecutable({ host: closed }, { path })).rejects.toMatchObject({
        code: "host-unsuitable",
        parts: { got: "permission denied", hint: expect.stringContaining(`chmod a+rx ${path}`) as string },
      });
    });
  });

  describe("manualDrift", () => {
    /** Waits until the file system gives other times than the given one: its clock ticks some hundred times a second. */
    async function nextTick(before: string): Promise<void> {
      const probe = join(root, "probe");
      do await writeFile(probe, "");
      while (String((await stat(probe, { bigint: true })).ctimeNs) === before);
    }

    async function driftAfter(change: () => Promise<unknown>): Promise<string[]> {
      await put();
      const adopted = await adoptExecutable({ host }, { path });
      await nextTick(adopted.changedAt);
      await change();
      return manualDrift({ host }, adopted);
    }

    it("is none while the file is as it was, touched or moved behind a link", async () => {
      expect(await driftAfter(() => Promise.resolve())).toEqual([]);
      expect(await driftAfter(() => utimes(path, 0, 0))).toEqual([]);
      const moved = async () => {
        await put(join(root, "engine"));
        await unlink(path);
        await symlink("../engine", path);
      };
      expect(await driftAfter(moved)).toEqual([]);
    });

    it.each([
      { what: "is gone", change: () => unlink(path), drift: () => [`${path} is missing`] },
      {
        what: "is a link that leads nowhere",
        change: () => unlink(path).then(() => symlink("../gone", path)),
        drift: () => [`${path} is no file and leads to none`],
      },
      {
        what: "is not executable any more",
        change: () => chmod(path, 0o644),
        drift: () => [`${path} is not executable: it has mode 0644`],
      },
      {
        what: "is another one of the same size",
        change: () => put(path, text.replace("1", "2")),
        drift: () => [`${path} was changed`],
      },
      {
        what: "is another one, and not executable",
        change: () => put(path, "other", 0o600),
        drift: () => [`${path} is not executable: it has mode 0600`, `${path} has 5 bytes, expected ${text.length}`],
      },
      {
        what: "is a link to another one",
        change: async () => {
          await put(join(root, "engine"), text.replace("1", "2"));
          await unlink(path);
          await symlink("../engine", path);
        },
        drift: () => [`${path} was changed`],
      },
    ])("tells when it $what, and mends nothing", async ({ change, drift }) => {
      expect(await driftAfter(change)).toEqual(drift());
      const names = await readdir(bin);
      const adopted = { path, sha256: sha256(text), sizeBytes: text.length, changedAt: "0" };
      expect(await manualDrift({ host }, adopted)).toEqual(drift());
      expect(await readdir(bin)).toEqual(names);
    });
  });
});
