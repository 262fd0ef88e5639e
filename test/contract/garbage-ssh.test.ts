import { existsSync } from "node:fs";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { describe, expect, it } from "vitest";

import { SshHost } from "../../src/host/ssh.js";
import { listStored, removeStored } from "../../src/install/garbage-survey.js";
import { SshServer, whyNoSshd } from "../support/ssh-server.js";

const isLeftOut = whyNoSshd !== undefined && process.env.BERTH_TEST_ALL !== "1";

describe.skipIf(isLeftOut)(`garbage on another machine${isLeftOut ? ` (left out: ${whyNoSshd})` : ""}`, () => {
  it("is weighed and removed over ssh as it is here", async () => {
    const dataDir = await realpath(await mkdtemp(join(tmpdir(), "berth garbage ")));
    const server = await SshServer.start();
    const host = new SshHost(server.target(), server.settings());
    const paths = ["backends/old_1.0/1/a", `cache/archives/${"a".repeat(64)}`, "cache/engines/old/a"];
    try {
      for (const path of paths) {
        await mkdir(dirname(join(dataDir, path)), { recursive: true });
        await writeFile(join(dataDir, path), "x".repeat(100));
      }
      const engine = () => Promise.reject(new Error("nothing of an engine's is here"));
      const place = { host, dataDir, engine };
      const { stored } = await listStored(place);
      expect(stored.map(({ kind, sizeBytes }) => [kind, sizeBytes])).toEqual([
        ["backend", 100],
        ["download", 100],
        ["engine cache", 100],
      ]);
      for (const { lastUsed } of stored) expect(Math.abs(Date.now() - lastUsed.getTime())).toBeLessThan(600_000);
      for (const thing of stored) await removeStored(place, thing);
      expect(paths.filter((path) => existsSync(join(dataDir, path)))).toEqual([]);
    } finally {
      await host.close();
      await server.dispose();
      await rm(dataDir, { recursive: true });
    }
  });
});
