import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { acquireHostLock, lockTtlSeconds, readHostLock, type LockHolder } from "../../../src/host/lock.js";
import { sha256 } from "../../../src/lib/canonical.js";
import { BerthError } from "../../../src/lib/errors.js";
import { dataDir, hostHeldBy, lockFile, requestBy } from "../support/host-locks.js";
import { FakeClock } from "../support/fake-clock.js";
import { MemoryHost } from "../support/memory-host.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rejectionOf } from "../support/thrown.js";

const dead = () => Promise.resolve(false);

describe("acquireHostLock of a free host", () => {
  it("writes down who holds it, and takes it away when it is given back", async () => {
    const host = new MemoryHost();
    const lock = await acquireHostLock(host, dataDir, requestBy("dev"));
    expect(await readHostLock(host, dataDir)).toEqual({
      id: "id-of-dev",
      owner: "berth/dev",
      machine: "here",
      process: "100:1",
      heartbeatAt: "2026-01-01T00:00:00.000Z",
    });
    await lock.release();
    expect(await readHostLock(host, dataDir)).toBeUndefined();
  });

  it("leaves no empty folder behind, and no folder of others taken away", async () => {
    const folder = await temporaryFolder();
    const host = new LocalHost("local", { PATH: "/usr/bin:/bin", HOME: folder });
    const lock = await acquireHostLock(host, join(folder, "data"), requestBy("dev"));
    expect(await readdir(join(folder, "data"))).toEqual(["lock.json"]);
    await lock.release();
    expect(await readdir(folder)).toEqual([]);
    const again = await acquireHostLock(host, join(folder, "data"), requestBy("dev"));
    await host.writeFile(join(folder, "data", "cache"), "");
    await again.release();
    expect(await readdir(join(folder, "data"))).toEqual(["cache"]);
  });
});

describe("a host lock that is given back while its sign of life is written", () => {
  it("is nobody's afterwards, however slow the disk is", async () => {
    let write = (): void => undefined;
    class SlowHost extends MemoryHost {
      override async writeFile(path: string, content: string): Promise<void> {
        await new Promise<void>((resolve) => (write = resolve));
        await super.writeFile(path, content);
      }
    }
    const host = new SlowHost();
    const lock = await acquireHostLock(host, dataDir, requestBy("dev"));
    const beating = lock.beat();
    await new Promise((resolve) => setTimeout(resolve, 1));
    const releasing = lock.release();
    await new Promise((resolve) => setTimeout(resolve, 1));
    write();
    await Promise.all([beating, releasing]);
    expect(await readHostLock(host, dataDir)).toBeUndefined();
    await lock.beat();
    expect(await readHostLock(host, dataDir)).toBeUndefined();
  });
});

describe("acquireHostLock of a host that somebody holds", () => {
  it("waits, tells once for whom, and then refuses and names the holder", async () => {
    const clock = new FakeClock("2026-01-01T00:00:05.000Z");
    const waited: string[] = [];
    const onWait = ({ owner }: LockHolder) => void waited.push(owner);
    const request = requestBy("dev", { clock, waitSeconds: 60, onWait });
    const error = await rejectionOf(acquireHostLock(hostHeldBy({}), dataDir, request));
    expect([error.code, error.message]).toEqual([
      "host-busy",
      [
        "host memory: another run changes this host",
        "  got: locked by berth/other, process 7 on here, last sign of life 2026-01-01T00:00:00.000Z",
        "  to do: wait until it is done, then run this again",
      ].join("\n"),
    ]);
    expect(waited).toEqual(["berth/other"]);
    expect(clock.now().toISOString()).toBe("2026-01-01T00:01:05.000Z");
  });

  it("gets it as soon as it is given back", async () => {
    const host = hostHeldBy({});
    const clock = new FakeClock();
    const onWait = () => void host.files.delete(lockFile);
    await acquireHostLock(host, dataDir, requestBy("dev", { clock, waitSeconds: 60, onWait }));
    expect((await readHostLock(host, dataDir))?.owner).toBe("berth/dev");
    expect(clock.now().toISOString()).toBe("2026-01-01T00:00:00.500Z");
  });

  it("stops waiting when it is told to", async () => {
    const controller = new AbortController();
    const reason = new BerthError("engine-gone", { what: "gone" });
    const onWait = () => controller.abort(reason);
    const request = requestBy("dev", { waitSeconds: 60, onWait, signal: controller.signal });
    expect(await rejectionOf(acquireHostLock(hostHeldBy({}), dataDir, request))).toBe(reason);
  });

  it.each([
    ["gets it", 2, "id-of-dev"],
    ["gives up on a folder that cannot be made", 3, undefined],
  ])("%s when the folder goes away %i times while it makes its file", async (_, times, holder) => {
    let left = times;
    class VanishingHost extends MemoryHost {
      override createFile(path: string, content: string): Promise<boolean> {
        if ((left -= 1) >= 0) return Promise.reject(Object.assign(new Error("gone"), { code: "ENOENT" }));
        return super.createFile(path, content);
      }
    }
    const host = new VanishingHost();
    await acquireHostLock(host, dataDir, requestBy("dev")).catch(() => undefined);
    expect((await readHostLock(host, dataDir))?.id).toBe(holder);
  });

  it("refuses a file that is no lock of Berth's, and leaves it", async () => {
    for (const text of ["", "garbage", "{}", '{"id":1}']) {
      const host = new MemoryHost();
      host.files.set(lockFile, text);
      const error = await rejectionOf(acquireHostLock(host, dataDir, requestBy("dev")));
      expect([error.code, host.files.get(lockFile)]).toEqual(["host-foreign", text]);
    }
  });
});

describe("acquireHostLock of a host whose holder is dead", () => {
  it("takes it over at once when the holder's process on this machine is gone", async () => {
    const host = hostHeldBy({});
    const asked: string[] = [];
    const isAlive = (process: string) => {
      asked.push(process);
      return dead();
    };
    await acquireHostLock(host, dataDir, requestBy("dev", { isAlive }));
    expect((await readHostLock(host, dataDir))?.id).toBe("id-of-dev");
    expect(asked).toEqual(["7:1"]);
    expect([...host.files.keys()]).toEqual([lockFile]);
  });

  it("takes it over when a holder on another machine, or before this boot, was silent for too long", async () => {
    const heldElsewhere = () => hostHeldBy({ machine: "elsewhere" });
    const after = (seconds: number) => {
      const clock = new FakeClock();
      clock.pass(seconds);
      return requestBy("dev", { clock, isAlive: dead });
    };
    const early = rejectionOf(acquireHostLock(heldElsewhere(), dataDir, after(lockTtlSeconds)));
    expect((await early).code).toBe("host-busy");
    const host = heldElsewhere();
    await acquireHostLock(host, dataDir, after(lockTtlSeconds + 1));
    expect((await readHostLock(host, dataDir))?.id).toBe("id-of-dev");
  });

  it("waits as long as a holder elsewhere may yet show itself", async () => {
    const clock = new FakeClock();
    const host = hostHeldBy({ machine: "elsewhere" });
    await acquireHostLock(host, dataDir, requestBy("dev", { clock, waitSeconds: 60 }));
    expect(clock.now().toISOString()).toBe("2026-01-01T00:00:45.500Z");
  });

  const claim = `${lockFile}.${sha256("id-of-other").slice(0, 12)}.takeover`;

  it.each([
    ["now", "2026-01-01T00:00:00.000Z", 46],
    ["long ago", "2025-01-01T00:00:00.000Z", 0.5],
    ["in the future, by a clock that was wrong", "2027-01-01T00:00:00.000Z", 0.5],
    ["at no time that can be read", "garbage", 0.5],
  ])("takes it over after another taker was killed on the way, %s", async (_, claimedAt, seconds) => {
    const clock = new FakeClock();
    const host = hostHeldBy({});
    host.files.set(claim, claimedAt);
    await acquireHostLock(host, dataDir, requestBy("dev", { clock, isAlive: dead, waitSeconds: 0 }));
    expect((await readHostLock(host, dataDir))?.id).toBe("id-of-dev");
    expect((clock.now().getTime() - Date.parse("2026-01-01T00:00:00.000Z")) / 1000).toBe(seconds);
    expect([...host.files.keys()]).toEqual([lockFile]);
  });
});

describe("a held lock", () => {
  it("shows signs of life", async () => {
    const [host, clock] = [new MemoryHost(), new FakeClock()];
    const lock = await acquireHostLock(host, dataDir, requestBy("dev", { clock }));
    clock.pass(10);
    await lock.beat();
    expect(await readHostLock(host, dataDir)).toMatchObject({
      id: "id-of-dev",
      heartbeatAt: "2026-01-01T00:00:10.000Z",
    });
  });

  it("that another has taken over is left to that one", async () => {
    const host = new MemoryHost();
    const lock = await acquireHostLock(host, dataDir, requestBy("dev"));
    await acquireHostLock(host, dataDir, requestBy("prod", { isAlive: dead }));
    await lock.beat();
    await lock.release();
    expect((await readHostLock(host, dataDir))?.id).toBe("id-of-prod");
  });
});
