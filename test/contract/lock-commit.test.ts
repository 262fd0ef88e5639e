import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { execa } from "execa";
import pLimit from "p-limit";
import { describe, expect, it } from "vitest";

import { BerthError } from "../../src/lib/errors.js";
import { commitLock } from "../../src/lock/lock-commit.js";
import { formatLock } from "../../src/lock/lock-file.js";
import { readPromotions, writePromotion } from "../../src/lock/promotion-file.js";
import type { LockFile } from "../../src/schema/lock.js";
import type { PromotionRecord } from "../../src/schema/promotion.js";
import { promotableOf, RecordedEnvironment } from "../unit/support/bundles.js";
import { temporaryFolder } from "../unit/support/temporary-folder.js";

const script = fileURLToPath(new URL("commit-lock.mjs", import.meta.url));
const prod = new RecordedEnvironment(promotableOf({ chat: "1" }));
const [first, second] = ["2", "3"].map((version) => recordOf(promotableOf({ chat: version }))) as [
  PromotionRecord,
  PromotionRecord,
];
const [old, killed, next] = ["old", "killed", "next"].map(
  (id) => ({ lockVersion: 1, id, release: { text: id.repeat(10_000) } }) as unknown as LockFile,
) as [LockFile, LockFile, LockFile];

function recordOf(after: ReturnType<typeof promotableOf>): PromotionRecord {
  const record = prod.move(after);
  if (record === undefined) throw new Error("the sample changes something");
  return record;
}

/** A project with the old lock, in which a process writes another one and is killed at a point. */
async function killAt(point: number) {
  const root = await temporaryFolder();
  const path = join(root, "stacks", "prod.lock.yaml");
  const before = formatLock(old);
  await mkdir(dirname(path));
  await writeFile(path, before);
  const task = { root, path, before, lock: killed, record: first, killAt: point };
  const { stdout, signal } = await execa(process.execPath, [script, JSON.stringify(task)], { reject: false });
  return { root, path, stdout, signal };
}

/** The next promotion, so many seconds later; the code of what refuses it, else undefined. */
async function promote(root: string, path: string, seconds: number): Promise<string | undefined> {
  const before = await readFile(path, "utf8");
  try {
    await commitLock({
      ...{ path, shownPath: "stacks/prod.lock.yaml", before, lock: next },
      record: async () => {
        await writePromotion(root, second);
      },
      now: () => new Date(Date.now() + seconds * 1000),
    });
    return undefined;
  } catch (error) {
    if (error instanceof BerthError) return error.code;
    throw error;
  }
}

describe("commitLock, killed", () => {
  it("leaves the old lock, or its own with its record, at every point; and the next one goes on", async () => {
    const whole = await killAt(-1);
    const points = Number(whole.stdout);
    expect(points).toBeGreaterThan(30);

    const limit = pLimit(3);
    const look = async (point: number): Promise<string> => {
      const { root, path, signal } = await killAt(point);
      expect(signal, `point ${point}`).toBe("SIGKILL");
      const text = await readFile(path, "utf8");
      expect([formatLock(old), formatLock(killed)], `point ${point}`).toContain(text);
      const isOld = text === formatLock(old);
      // A record without its lock is one that nobody took; a lock without its record would be one that nobody made.
      const records = await readPromotions(root);
      expect(isOld && records.length === 0 ? [first] : records, `point ${point}`).toEqual([first]);

      const refusal = await promote(root, path, 0);
      if (refusal !== undefined) {
        expect([refusal, await readFile(path, "utf8")], `point ${point}`).toEqual(["promotion-conflict", text]);
        expect(await promote(root, path, 61), `point ${point}`).toBeUndefined();
      }
      expect(await readFile(path, "utf8"), `point ${point}`).toBe(formatLock(next));
      expect(await readPromotions(root), `point ${point}`).toContainEqual(second);
      expect(await readdir(dirname(path)), `point ${point}`).not.toContain("prod.lock.yaml.next");
      return `${isOld ? "old" : "new"}, ${refusal === undefined ? "free" : "claimed"}`;
    };
    const outcomes = await Promise.all(Array.from({ length: points }, (_, point) => limit(() => look(point))));

    // Before the claim, under it, and after the new lock is there.
    expect([...new Set(outcomes)]).toEqual(["old, free", "old, claimed", "new, free"]);
    expect(await readFile(whole.path, "utf8")).toBe(formatLock(killed));
  }, 300_000);
});
