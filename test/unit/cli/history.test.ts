import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { formatHistory, history, historyRows, type HistoryRow } from "../../../src/cli/history.js";
import { buildLock } from "../../../src/lock/build.js";
import { formatLock } from "../../../src/lock/lock-file.js";
import { evidencePath, keepEvidence } from "../../../src/lock/kept-evidence.js";
import { writePromotion } from "../../../src/lock/promotion-file.js";
import { tellHistory } from "../../../src/lock/promotion-history.js";
import { recordName } from "../../../src/lock/promotion-record.js";
import { formatEvidence, sealEvidence } from "../../../src/schema/evidence.js";
import { bundleOf, promotableOf, RecordedEnvironment } from "../support/bundles.js";
import { catalogueOf } from "../support/catalogues.js";
import { fakeEdges } from "../support/edges.js";
import { chat, stackOf } from "../support/problems.js";
import { rejectionOf } from "../support/thrown.js";
import { testProject, type TestProject } from "../support/workplaces.js";

const stack = stackOf({ chat: chat() });
const solved = await buildLock(
  { owner: "shop/prod", stack, written: stack, catalogue: catalogueOf(), previous: undefined, resolved: {} },
  fakeEdges(),
);

const short = (version: string) => bundleOf(version).id.slice(0, 7);
const cells = (text: string) => text.split("\n").map((line) => line.trim().split(/ {2,}/));

function promoted(): RecordedEnvironment {
  const prod = new RecordedEnvironment(promotableOf({ chat: "1" }));
  prod.move(promotableOf({ chat: "2", code: "1" }, { next: "1" }));
  prod.move(promotableOf({ chat: "3", code: "1" }, { next: "1" }));
  prod.move(promotableOf({ chat: "2", code: "1" }, { next: "1" }), { kind: "rollback" });
  prod.move(promotableOf({ chat: "9" }), { isKilled: true });
  return prod;
}

const rowsOf = ({ records, now }: RecordedEnvironment): HistoryRow[] => historyRows(tellHistory("prod", records, now));

/** A project whose production has the records and the lock of an environment. */
async function projectOf({ records, now }: RecordedEnvironment): Promise<TestProject> {
  const lock = { ...solved.lock, ...now };
  const project = await testProject({ "stacks/prod.lock.yaml": formatLock(lock) });
  for (const record of records) await writePromotion(project.workplace.root, record);
  return project;
}

describe("formatHistory", () => {
  it("is a table, the newest first, that marks what is current and what did not take effect", () => {
    const [ready] = Object.values(promoted().records[0]?.preload ?? {});
    expect(cells(formatHistory("prod", rowsOf(promoted())))).toEqual([
      ["WHEN", "WHAT", "FROM", "BY", "DEPLOYMENT", "BEFORE", "AFTER"],
      ["2026-11-22 15:03", "promotion", "staging", "Ada", "chat", short("2"), short("9"), "did not take effect"],
      ["code", short("1"), "-"],
      ["preload next", ready?.bundle?.slice(0, 7), "-"],
      ["2026-11-22 15:02", "rollback", "prod", "Ada", "chat", short("3"), short("2"), "current"],
      ["2026-11-22 15:01", "promotion", "staging", "Ada", "chat", short("2"), short("3")],
      ["2026-11-22 15:00", "promotion", "staging", "Ada", "chat", short("1"), short("2")],
      ["code", "-", short("1"), "current"],
      ["preload next", "-", ready?.bundle?.slice(0, 7), "current"],
    ]);
  });

  it("tells what was forced, and why; without a name where git knew none, and nothing that moves the cursor", () => {
    const [row] = rowsOf(promoted());
    if (row === undefined) throw new Error("the sample has records");
    const { by: _, ...nobody } = row;
    const named = { ...row, by: { name: "A\u001b[2Jda\nroot", email: "" } };
    const text = formatHistory("prod", [
      { ...named, forced: ["the soak time", "staging was passed over"], reason: "an incident" },
      { ...nobody, forced: ["the smoke test"] },
    ]);
    expect(text).toContain("A?[2Jda?root");
    expect(text.split("\n").slice(-2)).toEqual([
      "forced 2026-11-22 15:03: the soak time; staging was passed over, because: an incident",
      "forced 2026-11-22 15:03: the smoke test",
    ]);
  });

  it("says when nothing was promoted", () => {
    expect(formatHistory("prod", [])).toBe("nothing was promoted to prod yet");
  });
});

describe("berth history", () => {
  it("reads the records and the lock", async () => {
    const { workplace, printed } = await projectOf(promoted());
    await history(workplace, "prod", {});
    expect(printed).toEqual(formatHistory("prod", rowsOf(promoted())).split("\n"));
  });

  it("prints for programs where each record is, and no bundles", async () => {
    const { workplace, printed } = await projectOf(promoted());
    await history(workplace, "prod", { json: true });
    const rows = JSON.parse(printed.join("\n")) as HistoryRow[];
    expect(rows).toHaveLength(4);
    const [, rollback] = rows;
    expect(rollback).toEqual({
      ...{ at: "2026-11-22T15:02:00.000Z", kind: "rollback", from: "prod", to: "prod", dirty: false, forced: [] },
      by: { name: "Ada", email: "ada@example.net" },
      record: `promotions/${recordName(promoted().records[2] ?? { at: "", releaseAfter: "" })}`,
      tookEffect: true,
      changes: [
        {
          ...{ part: "release", name: "chat", previousApplied: true, isCurrent: true },
          ...{ previous: bundleOf("3").id, bundle: bundleOf("2").id },
        },
      ],
    });
  });

  it("tells of evidence that is not there, and refuses what is not the evidence that a promotion relied on", async () => {
    const evidence = sealEvidence({
      ...{ evidenceVersion: 1, environment: "staging", lock: "c".repeat(64), gates: "d".repeat(64) },
      ...{ at: "2026-11-22T15:00:00.000Z", deployments: {} },
    });
    const prod = new RecordedEnvironment(promotableOf({ chat: "1" }));
    prod.move(promotableOf({ chat: "2" }), { evidence: evidence.digest });
    const { workplace, printed } = await projectOf(prod);
    const path = evidencePath(evidence.digest);
    await history(workplace, "prod", {});
    expect(printed.at(-1)).toBe(`evidence 2026-11-22 15:00: ${path} is not there`);

    await keepEvidence(workplace.root, evidence);
    await history(workplace, "prod", {});
    expect(printed.at(-1)).not.toContain("evidence");

    const { digest: _, ...body } = evidence;
    const other = sealEvidence({ ...body, at: "2026-11-22T16:00:00.000Z" });
    for (const text of [formatEvidence(other), "{", formatEvidence({ ...other, digest: evidence.digest })]) {
      await writeFile(join(workplace.root, path), text);
      const error = await rejectionOf(history(workplace, "prod", {}));
      expect([error.code, error.message]).toEqual(["evidence-invalid", expect.stringContaining(path)]);
      expect(printed.at(-1)).toBe(`evidence 2026-11-22 15:00: ${path} was changed after it was relied on`);
    }
  });

  it("says so where there are no records, with and without a lock", async () => {
    const { workplace, printed } = await testProject({ "stacks/dev.yaml": "" });
    await history(workplace, undefined, {});
    await history(workplace, "dev", { json: true });
    expect(printed).toEqual(["nothing was promoted to dev yet", "[]"]);
  });

  it("refuses a name that no environment has, and knows one that is no more by its records", async () => {
    const { workplace, printed } = await projectOf(promoted());
    const error = await rejectionOf(history(workplace, "prud", {}));
    expect([error.code, error.parts.expected]).toEqual(["file-not-found", "prod"]);
    await rm(join(workplace.root, "stacks"), { recursive: true });
    await history(workplace, "prod", { json: true });
    expect(JSON.parse(printed.join("\n"))).toHaveLength(4);
  });

  it("tells of a record that cannot be read, also of another environment", async () => {
    const { workplace } = await testProject({ "promotions/20261122T150000Z-0123456789ab.json": "{" });
    const error = await rejectionOf(history(workplace, "prod", {}));
    expect(error.code).toBe("promotion-invalid");
  });
});
