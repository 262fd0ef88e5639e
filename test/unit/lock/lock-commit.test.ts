import { readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import type { BerthError } from "../../../src/lib/errors.js";
import { commitLock } from "../../../src/lock/lock-commit.js";
import { formatLock } from "../../../src/lock/lock-file.js";
import type { LockFile } from "../../../src/schema/lock.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rejectionOf } from "../support/thrown.js";

const lockOf = (id: string) => ({ lockVersion: 1, id }) as unknown as LockFile;

async function setting(before?: string) {
  const folder = await temporaryFolder();
  const path = join(folder, "prod.lock.yaml");
  if (before !== undefined) await writeFile(path, before);
  const records: string[] = [];
  const commit = (id: string, more: { before?: string | undefined; now?: () => Date; fail?: Error } = {}) =>
    commitLock({
      path,
      shownPath: "stacks/prod.lock.yaml",
      before: "before" in more ? more.before : before,
      lock: lockOf(id),
      record: () => {
        records.push(id);
        return more.fail === undefined ? Promise.resolve() : Promise.reject(more.fail);
      },
      now: more.now ?? (() => new Date()),
    });
  return { folder, path, records, commit };
}

describe("commitLock", () => {
  it("writes a lock where there was none, and over the one that it was worked out from", async () => {
    const { path, commit, folder } = await setting();
    await commit("a");
    const text = await readFile(path, "utf8");
    expect(text).toBe(formatLock(lockOf("a")));
    await commit("b", { before: text });
    expect(await readFile(path, "utf8")).toBe(formatLock(lockOf("b")));
    expect(await readdir(folder)).toEqual(["prod.lock.yaml"]);
  });

  it.each([
    ["written since", "old", "older"],
    ["written since, where there was none", "old", undefined],
  ])("refuses over a lock that was %s, and records nothing", async (_, there, before) => {
    const { path, commit, records, folder } = await setting(there);
    const error = await rejectionOf(commit("a", { before }));
    expect([error.code, records, await readFile(path, "utf8")]).toEqual(["promotion-conflict", [], there]);
    expect(await readdir(folder)).toEqual(["prod.lock.yaml"]);
  });

  it("leaves the old lock when what has to be written down before it cannot be", async () => {
    const { path, commit, folder } = await setting("old");
    await expect(commit("a", { fail: new Error("full") })).rejects.toThrow("full");
    expect([await readFile(path, "utf8"), await readdir(folder)]).toEqual(["old", ["prod.lock.yaml"]]);
  });

  it("has one winner of many at once, whose lock and record it is", async () => {
    for (let round = 0; round < 20; round += 1) {
      const { path, commit, records } = await setting("old");
      const ids = Array.from({ length: 8 }, (_, index) => `${round}-${index}`);
      const outcomes = await Promise.allSettled(ids.map((id) => commit(id)));
      const won = ids.filter((_, index) => outcomes[index]?.status === "fulfilled");
      expect(won).toHaveLength(1);
      expect(records).toEqual(won);
      expect(await readFile(path, "utf8")).toBe(formatLock(lockOf(won[0] ?? "")));
      const lost = outcomes.filter((outcome) => outcome.status === "rejected");
      expect(lost.map(({ reason }) => (reason as BerthError).code)).toEqual(lost.map(() => "promotion-conflict"));
    }
  });

  it("waits for nobody who was killed: what lies there for a minute is taken away, and what is younger is not", async () => {
    const { path, commit } = await setting("old");
    await writeFile(`${path}.next`, "half");
    await utimes(`${path}.next`, 0, 0);
    expect((await rejectionOf(commit("a"))).code).toBe("promotion-conflict");
    await commit("a", { now: () => new Date(Date.now() + 61_000) });
    expect(await readFile(path, "utf8")).toBe(formatLock(lockOf("a")));
  });
});
