import { existsSync } from "node:fs";
import { mkdtemp, readdir, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import type { DownloadPace } from "../../src/host/transfer-watch.js";
import { fetchRelease, unpackRelease, type BinaryRelease, type ReleaseContext } from "../../src/install/binary.js";
import { probeEngine } from "../../src/install/version-probe.js";
import { makeArchives } from "../support/archives.js";
import { breakOff, HostileServer, ranges, whole } from "../support/hostile-server.js";
import { ReleaseSetting, releaseOf } from "../support/release-setting.js";
import { archiveCases, downloadCases, engine, padding, probeCases, type Expected } from "./install-hostile-cases.js";

const usual: DownloadPace = {
  retries: 1,
  firstWaitSeconds: 0.01,
  idleSeconds: 20,
  slowest: { bytesPerSecond: 1000, windowSeconds: 20 },
};
const probeSeconds = 20;

describe("installing a release from a hostile server", () => {
  let server: HostileServer;
  let setting: ReleaseSetting;
  /** A folder that bad archives try to reach. */
  let elsewhere: string;
  let good: Buffer;
  let bad: readonly Buffer[];
  let unfit: readonly Buffer[];

  beforeAll(async () => {
    elsewhere = await realpath(await mkdtemp(join(tmpdir(), "berth-elsewhere-")));
    const archives = await makeArchives([
      { format: "tar.gz", members: [engine(), padding] },
      ...archiveCases.map(({ format, members }) => ({ format, members: members(elsewhere) })),
      ...probeCases.map(({ script }) => ({ format: "tar.gz" as const, members: [engine(script)] })),
    ]);
    good = archives[0] ?? Buffer.alloc(0);
    bad = archives.slice(1, archiveCases.length + 1);
    unfit = archives.slice(archiveCases.length + 1);
  });
  afterAll(() => rm(elsewhere, { recursive: true, force: true }));

  beforeEach(async () => {
    server = await HostileServer.start();
    setting = await ReleaseSetting.create();
  });
  afterEach(async () => {
    await server.close();
    await setting.dispose();
  });

  async function install(
    release: BinaryRelease,
    context: ReleaseContext = setting.contextOf(usual),
    deadlineSeconds = probeSeconds,
  ): Promise<void> {
    await fetchRelease(context, release, () => undefined);
    const { executable } = await unpackRelease(context, release, setting.folder);
    const probe = { arguments: ["--version"], pattern: "engine {{version}}" };
    await probeEngine(context, {
      executable,
      probe,
      version: "1.0",
      subject: "host local: engine 1.0",
      deadlineSeconds,
    });
  }

  async function expectFailure(installation: Promise<void>, { code, got, expected }: Expected): Promise<void> {
    const text = (wanted: string | RegExp) =>
      typeof wanted === "string" ? wanted : (expect.stringMatching(wanted) as string);
    await expect(installation).rejects.toMatchObject({
      name: "BerthError",
      code,
      parts: {
        where: expect.any(String) as string,
        got: text(got),
        expected: text(expected),
        hint: expect.any(String) as string,
      },
    });
  }

  /** Neither in the installation's folder nor anywhere else but in the cache. */
  async function expectNothing(): Promise<void> {
    expect(existsSync(setting.folder)).toBe(false);
    expect((await setting.files()).filter((name) => !/^host(?:\/backends(?:\/engine_1\.0)?)?$/.test(name))).toEqual([]);
    expect(await readdir(elsewhere)).toEqual([]);
  }

  function expectInstalled(): void {
    expect(existsSync(join(setting.folder, "files", "engine", "bin", "engine"))).toBe(true);
  }

  it.each(downloadCases)("$what: a clear error, nothing to be seen, and the next run works", async (row) => {
    const release = releaseOf(good, server.answer(row.server(good, server.url)), row.release?.(good));
    await expectFailure(install(release, setting.contextOf({ ...usual, ...row.pace })), row);
    await expectNothing();
    server.answer(ranges(good));
    await install(release);
    expectInstalled();
  });

  it.each(archiveCases.map((row, index) => ({ ...row, index })))(
    "$format, $what: a clear error, nothing to be seen, and a good one works",
    async (row) => {
      const made = bad[row.index] ?? Buffer.alloc(0);
      const archive = row.spoil?.(made) ?? made;
      await expectFailure(install(releaseOf(archive, server.answer(ranges(archive)))), row);
      await expectNothing();
      await install(releaseOf(good, server.answer(ranges(good))));
      expectInstalled();
    },
  );

  it.each(probeCases.map((row, index) => ({ ...row, index })))(
    "an engine that $what: a clear error, and a good one works",
    async (row) => {
      const archive = unfit[row.index] ?? Buffer.alloc(0);
      const context = setting.contextOf(usual);
      await expectFailure(install(releaseOf(archive, server.answer(ranges(archive))), context, row.seconds), row);
      // As the resource does before it says so: a later installation has a folder of its own.
      await context.host.remove(setting.folder);
      await install(releaseOf(good, server.answer(ranges(good))));
      expectInstalled();
    },
  );

  it("goes on where a connection broke off, within one run", async () => {
    await install(releaseOf(good, server.answer(breakOff(good, 5000), ranges(good))));
    expectInstalled();
    expect(server.ranges).toHaveLength(2);
    expect(server.ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
  });

  it("begins anew where the server has no ranges", async () => {
    await install(releaseOf(good, server.answer(breakOff(good, 5000), whole(good))));
    expectInstalled();
    expect(server.ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
  });

  it("fetches anew, once, what does not go with the beginning of an earlier run", async () => {
    const release = releaseOf(good, server.answer(ranges(good)));
    const part = join(setting.root, "host", "cache", "archives", `${release.sha256}.part`);
    await setting.context.host.writeFile(part, "the beginning of something else");
    await install(release);
    expectInstalled();
    expect(server.ranges).toEqual(["bytes=31-", undefined]);
  });

  it("uses what is in the cache without asking, but only while it is what is pinned", async () => {
    const release = releaseOf(good, server.answer(ranges(good)));
    const path = await fetchRelease(setting.context, release, () => undefined);
    await install(release);
    expect(server.ranges).toHaveLength(1);
    await setting.context.host.remove(setting.folder);
    await setting.context.host.writeFile(path, "spoilt");
    await install(release);
    expect(server.ranges).toHaveLength(2);
    expectInstalled();
  });
});
