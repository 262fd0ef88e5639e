import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { sha256 } from "../../src/lib/canonical.js";
import { chunked, HostileServer, ranges } from "../support/hostile-server.js";
import { SmallDisk, whyNoDisk } from "../support/small-disk.js";
import type { HostSetting } from "./host.js";

const isLeftOut = whyNoDisk !== undefined && process.env.BERTH_TEST_ALL !== "1";

/** Every operation that writes, on a disk without a free byte. */
export function describeFullDisk(settingOf: () => HostSetting): void {
  describe.skipIf(isLeftOut)(`on a disk that is full${isLeftOut ? ` (left out: ${whyNoDisk})` : ""}`, () => {
    let disk: SmallDisk;
    const at = (name: string) => join(disk.folder, name);
    const names = async () => (await settingOf().host.list(disk.folder)).filter((name) => name !== "filler");

    beforeEach(async () => {
      disk = SmallDisk.mount(4);
      await settingOf().host.writeFile(at("file"), "old");
    });
    afterEach(() => disk.unmount());

    it("a write fails, the file is as it was, and nothing is left of the try; with room it is written", async () => {
      const { host } = settingOf();
      disk.fill();
      await expect(host.writeFile(at("file"), "x".repeat(100_000))).rejects.toMatchObject({ code: "ENOSPC" });
      expect(await host.readText(at("file"))).toBe("old");
      expect(await names()).toEqual(["file"]);
      await host.remove(at("filler"));
      await host.writeFile(at("file"), "new");
      expect(await host.readText(at("file"))).toBe("new");
    });

    it("a file is not created with a part of its content; with room it is", async () => {
      const { host } = settingOf();
      disk.fill();
      await expect(host.createFile(at("created"), "content")).rejects.toMatchObject({ code: "ENOSPC" });
      expect(await names()).toEqual(["file"]);
      await host.remove(at("filler"));
      expect(await host.createFile(at("created"), "content")).toBe(true);
      expect(await host.readText(at("created"))).toBe("content");
    });

    it("what needs no room works: reading, renaming, removing", async () => {
      const { host } = settingOf();
      disk.fill();
      expect(await host.freeBytes(disk.folder)).toBe(0);
      expect(await host.sha256(at("file"))).toBe(sha256("old"));
      await host.rename(at("file"), at("renamed"));
      await host.remove(at("renamed"));
      expect(await names()).toEqual([]);
    });

    it("a command says so itself", async () => {
      disk.fill();
      const { exitCode, stderr } = await settingOf().host.run(["cp", "/proc/self/status", at("copy")]);
      expect(exitCode).toBe(1);
      expect(stderr).toContain("No space left on device");
    });

    it("a download fails as such, whether it has begun or not, and goes on when there is room", async () => {
      const { host } = settingOf();
      const content = Buffer.alloc(3_000_000, "0123456789");
      const web = await HostileServer.start();
      try {
        await host.writeFile(at("part"), content.subarray(0, 1_000_000));
        disk.fill();
        const url = web.answer(ranges(content));
        await expect(host.download(url, at("part"))).rejects.toMatchObject({ code: "disk-full" });
        await host.remove(at("filler"));
        expect(await host.download(web.answer(ranges(content)), at("part"))).toBe(sha256(content));
        expect(web.ranges[0]).toMatch(/^bytes=[1-9]\d{6}-$/);
      } finally {
        await web.close();
      }
    });

    it.each([
      { size: "that is larger than the room", behaviour: (content: Buffer) => ranges(content) },
      { size: "that is not told", behaviour: (content: Buffer) => chunked(content) },
    ])("a download of a size $size leaves the disk as free as it was", async ({ behaviour }) => {
      const { host } = settingOf();
      const content = Buffer.alloc(20_000_000, "0123456789");
      const web = await HostileServer.start();
      try {
        for (const begun of [0, 1_000_000]) {
          if (begun > 0) await host.writeFile(at("part"), content.subarray(0, begun));
          const freeBytes = await host.freeBytes(disk.folder);
          const download = host.download(web.answer(behaviour(content)), at("part"));
          await expect(download).rejects.toMatchObject({ code: "disk-full" });
          expect(await host.freeBytes(disk.folder)).toBe(freeBytes);
        }
      } finally {
        await web.close();
      }
    });
  });
}
