import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { execaSync } from "execa";
import { describe, expect, it } from "vitest";

import { readPromotions, writePromotion } from "../../../src/lock/promotion-file.js";
import { recordName } from "../../../src/lock/promotion-record.js";
import { sealPromotion, type PromotionRecord } from "../../../src/schema/promotion.js";
import { bundleOf, promotableOf, RecordedEnvironment } from "../support/bundles.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rejectionOf } from "../support/thrown.js";

const prod = new RecordedEnvironment(promotableOf({ chat: "1", old: "1" }, { next: "1" }));
const first = recordOf(promotableOf({ chat: "2", code: "1" }, { next: "2" }));
const second = recordOf(promotableOf({ chat: "3" }));

function recordOf(after: ReturnType<typeof promotableOf>): PromotionRecord {
  const record = prod.move(after);
  if (record === undefined) throw new Error("the sample changes something");
  return record;
}

/** A project in which a file stands in the place of the first record. */
async function projectWith(text: string, name = recordName(first)): Promise<string> {
  const root = await temporaryFolder();
  await mkdir(join(root, "promotions"));
  await writeFile(join(root, "promotions", name), text);
  return root;
}

/** The first record, with one of its parts changed, as JSON. */
function changed(change: (record: Record<string, unknown>) => void): string {
  const record = structuredClone(first) as unknown as Record<string, unknown>;
  change(record);
  return JSON.stringify(record);
}

const chatOf = (record: Record<string, unknown>) => (record.bundles as Record<string, Record<string, unknown>>).chat;

describe("writePromotion", () => {
  it("writes a record that is read again as it was, in a folder that was not there, and leaves nothing else", async () => {
    const root = await temporaryFolder();
    const paths = [await writePromotion(root, second), await writePromotion(root, first)];
    expect(paths).toEqual([second, first].map((record) => `promotions/${recordName(record)}`));
    expect((await readdir(join(root, "promotions"))).sort()).toEqual([recordName(first), recordName(second)]);
    expect(await readPromotions(root)).toEqual([first, second]);
  });

  it("is named by its time and by what is released after it", () => {
    expect(recordName(first)).toBe(`20261122T150000Z-${first.releaseAfter.slice(0, 12)}.json`);
  });

  it("keeps whatever texts people and locks have", async () => {
    const root = await temporaryFolder();
    const texts = ["\u0000\u001f\u007f\u0085\u2028\ufeff", "\ud800", '"\\', "<<<<<<< HEAD", "モデル", "\t\r\n"];
    const release = bundleOf("2", { parameters: texts });
    const moved = { bundle: release.id, previous: null, previousApplied: false, release };
    const by = { name: texts.join(""), email: "" };
    const { digest: _, ...body } = second;
    const record = sealPromotion({ ...body, by, reason: texts.join(" "), forced: texts, bundles: { chat: moved } });
    await writePromotion(root, record);
    expect(await readPromotions(root)).toEqual([record]);
  });

  it("replaces nothing", async () => {
    const root = await projectWith("something else");
    const error = await rejectionOf(writePromotion(root, first));
    expect([error.code, error.parts.what]).toEqual([
      "promotion-invalid",
      "there is a record of this time and these bundles already; it was not replaced",
    ]);
    expect(error.message).toContain(`promotions/${recordName(first)}`);
    expect(await readdir(join(root, "promotions"))).toEqual([recordName(first)]);
    expect(await readFile(join(root, "promotions", recordName(first)), "utf8")).toBe("something else");
  });

  it.each<[string, (path: string) => unknown]>([
    ["a file", (path) => writeFile(path, "")],
    ["a link to nothing", (path) => symlink("/nowhere/promotions", path)],
    ["a link to itself", (path) => symlink("promotions", path)],
  ])("says which when %s is in the place of the folder, and leaves it", async (_, make) => {
    const root = await temporaryFolder();
    await make(join(root, "promotions"));
    const error = await rejectionOf(writePromotion(root, first));
    expect([error.code, error.parts.where]).toEqual(["promotion-invalid", `promotions/${recordName(first)}`]);
    expect(error.message).toContain("the record of a promotion cannot be written");
    expect(error.message).toContain("make `promotions` a folder that can be written");
    expect(await readdir(root)).toEqual(["promotions"]);
  });

  it.runIf(process.platform === "linux")("says which when the folder cannot be written", async () => {
    const root = await temporaryFolder();
    // Not even root makes files there.
    await symlink("/proc/self/fdinfo", join(root, "promotions"));
    const error = await rejectionOf(writePromotion(root, first));
    expect([error.code, error.parts.where]).toEqual(["promotion-invalid", `promotions/${recordName(first)}`]);
    expect(error.message).toContain("the record of a promotion cannot be written");
  });
});

describe("readPromotions", () => {
  it("finds none where there is no folder", async () => {
    expect(await readPromotions(await temporaryFolder())).toEqual([]);
  });

  it("passes over other files, such as one that a killed command was writing", async () => {
    const root = await projectWith("{", `.${recordName(first)}.1.tmp`);
    await writeFile(join(root, "promotions", "README.md"), "what this is");
    expect(await readPromotions(root)).toEqual([]);
  });

  it.each<[string, string, string]>([
    ["that is empty", "", "JSON"],
    ["cut short", JSON.stringify(first).slice(0, 200), "JSON"],
    ["that a merge left in conflict", `<<<<<<< HEAD\n${JSON.stringify(first)}`, "JSON"],
    ["of YAML", "recordVersion: 1\n", "JSON"],
    ["that is a list", "[]", "expected a map"],
    ["that is null", "null", "the document: expected a map; got null"],
    ["of a later version", changed((record) => (record.recordVersion = 2)), '"recordVersion": expected 1; got 2'],
    ["with a field of a later version", changed((record) => (record.more = 1)), 'unknown key "more"'],
    ["without its time", changed((record) => delete record.at), '"at" is missing'],
    ["of no time", changed((record) => (record.at = "yesterday")), "expected a time in UTC"],
    [
      "of a time elsewhere",
      changed((record) => (record.at = "2026-11-22T15:00:00.000+01:00")),
      "expected a time in UTC",
    ],
    ["of an environment above", changed((record) => (record.to = "../prod")), '"to": expected 1 to 63 characters'],
    ["of a promotion to itself", changed((record) => (record.from = "prod")), '"from": expected another environment'],
    ["of a rollback from elsewhere", changed((record) => (record.kind = "rollback")), '"from": expected another'],
    [
      "whose bundle was changed",
      changed((record) => Object.assign(chatOf(record)?.release ?? {}, { runCommand: "rm -rf /" })),
      '"bundles.chat.release": expected a bundle whose id is the digest of the rest',
    ],
    [
      "whose earlier bundle was changed",
      changed((record) => Object.assign(chatOf(record)?.previousRelease ?? {}, { env: { A: "b" } })),
      '"bundles.chat.previousRelease": expected a bundle whose id',
    ],
    [
      "that names another bundle than it holds",
      changed((record) => Object.assign(chatOf(record) ?? {}, { bundle: bundleOf("9").id })),
      '"bundles.chat": expected `release` and `previousRelease` to be what',
    ],
    [
      "that takes away what it holds",
      changed((record) => Object.assign(chatOf(record) ?? {}, { bundle: null })),
      '"bundles.chat": expected `release` and `previousRelease` to be what',
    ],
    [
      "whose ready models were changed",
      changed((record) => (record.preload = { next: { ...first.preload?.next, release: {} } })),
      '"preload.next": expected `bundle` and `previous` to be the digests',
    ],
    [
      "of somebody else",
      changed((record) => (record.by = { name: "Bob", email: "ada@example.net" })),
      '"digest": expected',
    ],
    ["of nobody", changed((record) => delete record.by), "the record was changed after it was written"],
    ["of files that differed", changed((record) => (record.dirty = true)), '"digest": expected the digest of the rest'],
    ["that overruled something", changed((record) => (record.forced = ["the soak time"])), '"digest": expected'],
    [
      "whose earlier bundle was healthy after all",
      changed((record) => Object.assign(chatOf(record) ?? {}, { previousApplied: false })),
      '"digest": expected',
    ],
    ["without its digest", changed((record) => delete record.digest), '"digest" is missing'],
    ["with the digest of another", changed((record) => (record.digest = second.digest)), '"digest": expected'],
    [
      "with a deployment of no good name",
      JSON.stringify(first).replace('"chat":', '"../chat":'),
      'key "../chat" in "bundles"',
    ],
  ])("refuse a record %s, and say which and why", async (_, text, reason) => {
    const error = await rejectionOf(readPromotions(await projectWith(text)));
    expect(error.code).toBe("promotion-invalid");
    expect(error.message).toContain(`promotions/${recordName(first)}: the record of a promotion cannot be read`);
    expect(error.message).toContain(reason);
    expect(error.message).toContain("restore it from git");
  });

  it.each([
    ["another time", "20261122T150001Z-" + first.releaseAfter.slice(0, 12) + ".json"],
    ["other bundles", "20261122T150000Z-0123456789ab.json"],
    ["no time", "latest.json"],
  ])("refuse a record whose name is of %s", async (_, name) => {
    const error = await rejectionOf(readPromotions(await projectWith(JSON.stringify(first), name)));
    expect([error.code, error.parts.what]).toEqual(["promotion-invalid", "the record is not what its name says"]);
    expect([error.parts.where, error.parts.got, error.parts.expected]).toEqual([
      `promotions/${name}`,
      name,
      recordName(first),
    ]);
  });

  it.each<[string, (path: string) => unknown]>([
    ["a folder", (path) => mkdir(path)],
    ["a link", (path) => symlink("/etc/passwd", path)],
    ["a pipe", (path) => execaSync("mkfifo", [path])],
  ])("refuse %s in the place of a record, without opening it", async (_, make) => {
    const root = await projectWith("{}", "README");
    await make(join(root, "promotions", recordName(first)));
    const error = await rejectionOf(readPromotions(root));
    expect(error.code).toBe("promotion-invalid");
    expect(error.message).toContain("it is no plain file");
  });

  it.each<[string, (path: string) => unknown]>([
    ["a file", (path) => writeFile(path, "")],
    ["a link to itself", (path) => symlink("promotions", path)],
  ])("refuse %s in the place of the folder", async (_, make) => {
    const root = await temporaryFolder();
    await make(join(root, "promotions"));
    const error = await rejectionOf(readPromotions(root));
    expect([error.code, error.parts.where]).toEqual(["promotion-invalid", "promotions"]);
    expect(error.message).toContain("the records of promotions cannot be read");
  });
});
