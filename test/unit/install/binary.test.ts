import { lstat, readFile, readlink, stat } from "node:fs/promises";
import { join } from "node:path";

import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { unpackRelease, type BinaryRelease, type UnpackedRelease } from "../../../src/install/binary.js";
import { makeArchive, makeArchives, type ArchiveFormat, type Member } from "../../support/archives.js";
import { rejectionOf } from "../support/thrown.js";
import { badArchives, spoiltArchives } from "../support/bad-archives.js";
import { ReleaseSetting, releaseOf } from "../../support/release-setting.js";

const formats: readonly ArchiveFormat[] = ["tar.gz", "tar.xz", "zip"];
const engine: Member = { name: "engine/bin/engine", text: "#!/bin/sh\necho 1.0\n", mode: 0o755 };

describe("unpackRelease", () => {
  let setting: ReleaseSetting;

  beforeEach(async () => {
    setting = await ReleaseSetting.create();
  });
  afterEach(() => setting.dispose());

  /** Unpacks an archive that lies in the cache already: no server is asked. */
  async function unpack(content: Buffer, changes: Partial<BinaryRelease> = {}): Promise<UnpackedRelease> {
    const release = releaseOf(content, "http://127.0.0.1:9/not-asked", changes);
    await setting.context.host.writeFile(join(setting.root, "host", "cache", "archives", release.sha256), content);
    return unpackRelease(setting.context, release, setting.folder);
  }

  async function unpackMembers(format: ArchiveFormat, members: readonly Member[], changes?: Partial<BinaryRelease>) {
    return unpack(await makeArchive(format, members), changes);
  }

  const mode = async (...names: string[]) => (await stat(join(setting.folder, "files", ...names))).mode & 0o7777;

  it.each(formats)(
    "unpacks %s with its folders, executable bits and links, and nothing else of its modes",
    async (format) => {
      const made = await unpackMembers(format, [
        { name: "./engine/", kind: "folder", mode: 0o000 },
        { ...engine, name: "./engine//bin/engine", mode: 0o6777 },
        { name: "engine/lib/libx.so.1.2", text: "library", mode: 0o400 },
        { name: "engine/lib/libx.so.1", kind: "link", target: "libx.so.1.2" },
        { name: "engine/lib/libx.so", kind: "link", target: "libx.so.1" },
        { name: "engine/lib64", kind: "link", target: "lib" },
        { name: "engine/bin/libx.so", kind: "link", target: "../lib64/../lib/libx.so" },
        { name: "engine/bin/here", kind: "link", target: "../.." },
        { name: "engine/Größe 大", text: "ä" },
      ]);
      const files = join(setting.folder, "files");
      expect(made).toEqual({ folder: files, executable: join(files, "engine/bin/engine") });
      expect(await mode("engine")).toBe(0o755);
      expect(await mode("engine/bin/engine")).toBe(0o755);
      expect(await mode("engine/lib/libx.so.1.2")).toBe(0o644);
      expect(await readlink(join(files, "engine/lib64"))).toBe("lib");
      expect(await readFile(join(files, "engine/bin/libx.so"), "utf8")).toBe("library");
      expect(await readFile(join(files, "engine/Größe 大"), "utf8")).toBe("ä");
      expect((await setting.context.host.run([made.executable])).stdout).toBe("1.0");
    },
  );

  it("is told of a disk that is too small before the first byte, with what is free and what is missing", async () => {
    const { host } = setting.context;
    host.freeBytes = () => Promise.resolve(50_000);
    const release = releaseOf(Buffer.from("x"), "http://127.0.0.1:9/not-asked", { sizeBytes: 80_000 });
    const part = join(setting.root, "host", "cache", "archives", `${release.sha256}.part`);
    await host.writeFile(part, Buffer.alloc(20_000));
    const error = await rejectionOf(unpackRelease(setting.context, release, setting.folder));
    expect([error.code, error.parts.got, error.parts.expected]).toEqual([
      "disk-full",
      "50.0 kB free",
      `60.0 kB for the release of ${release.backend} ${release.version}`,
    ]);
    expect((await stat(part)).size).toBe(20_000);
  });

  it("unpacks hard links to files before them", async () => {
    await unpackMembers("tar.gz", [engine, { name: "engine/again", kind: "hardLink", target: "./engine/bin/engine" }]);
    const [one, other] = await Promise.all(
      ["engine/bin/engine", "engine/again"].map((name) => lstat(join(setting.folder, "files", name))),
    );
    expect(other?.ino).toBe(one?.ino);
  });

  it("takes a link inside the archive for the executable", async () => {
    const link: Member = { name: "engine/start", kind: "link", target: "bin/engine" };
    const { executable } = await unpackMembers("zip", [link, engine], { executable: "engine/start" });
    expect((await setting.context.host.run([executable])).stdout).toBe("1.0");
  });

  it("makes the executable of a zip file without modes executable, and nothing else", async () => {
    await unpackMembers("zip", [
      { ...engine, mode: null },
      { name: "engine/readme", text: "x", mode: null },
    ]);
    expect(await mode("engine/bin/engine")).toBe(0o755);
    expect(await mode("engine/readme")).toBe(0o644);
  });

  it("puts a plain file in place as BACKEND_VERSION with mode 0755", async () => {
    const made = await unpack(Buffer.from(engine.text ?? ""), { executable: undefined });
    expect(made.executable).toBe(join(setting.folder, "files", "engine_1.0"));
    expect(await mode("engine_1.0")).toBe(0o755);
    expect((await setting.context.host.run([made.executable])).stdout).toBe("1.0");
  });

  it("takes an archive of just the size that it may have", async () => {
    const unpackedBytes = 1000 + Buffer.byteLength(engine.text ?? "");
    await unpackMembers("tar.gz", [engine, { name: "x", zeros: 1000 }], { unpackedBytes });
    await setting.context.host.remove(setting.folder);
    const tooMuch = unpackMembers("tar.gz", [engine, { name: "x", zeros: 1001 }], { unpackedBytes });
    await expect(tooMuch).rejects.toMatchObject({ code: "install-failed" });
  });

  it.each(spoiltArchives)("refuses $format with $what", async ({ format, spoil, got, expected }) => {
    const archive = spoil(await makeArchive(format, [{ name: "folder/", kind: "folder" }, engine]));
    await expect(unpack(archive)).rejects.toMatchObject({
      code: "install-failed",
      parts: {
        got: expect.stringMatching(got) as string,
        expected: typeof expected === "string" ? expected : (expect.stringMatching(expected) as string),
      },
    });
    expect(await setting.files()).toEqual(["host", "host/backends", "host/backends/engine_1.0"]);
  });

  let archives: Buffer[] = [];
  beforeAll(async () => {
    archives = await makeArchives(
      badArchives.map(({ format, members }) => ({ format, members: [engine, ...members] })),
    );
  });

  it.each(badArchives.map((row, index) => ({ ...row, index })))(
    "refuses $format with $what, and leaves nothing",
    async ({ index, got, expected }) => {
      await expect(unpack(archives[index] ?? Buffer.alloc(0))).rejects.toMatchObject({
        code: "install-failed",
        parts: {
          where: "host local: engine 1.0",
          what: "Berth does not unpack this archive",
          got: typeof got === "string" ? got : (expect.stringMatching(got) as string),
          expected: typeof expected === "string" ? expected : (expect.stringMatching(expected) as string),
        },
      });
      expect(await setting.files()).toEqual(["host", "host/backends", "host/backends/engine_1.0"]);
    },
  );
});
