import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { buildLock } from "../../../src/lock/build.js";
import { formatLock, lockPath, readLock, writeLock } from "../../../src/lock/lock-file.js";
import { parseYaml } from "../../../src/schema/document.js";
import { lockFile } from "../../../src/schema/lock.js";
import { catalogueOf } from "../support/catalogues.js";
import { fakeEdges } from "../support/edges.js";
import { chat, stackOf } from "../support/problems.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rejectionOf } from "../support/thrown.js";

const stack = stackOf({ chat: chat({ backendVersion: "1.0", extraParameters: ["word ".repeat(30)] }) });
const { lock } = await buildLock(
  { owner: "shop/dev", stack, written: stack, catalogue: catalogueOf(), previous: undefined, resolved: {} },
  fakeEdges(),
);

describe("lockPath", () => {
  it.each([
    ["/p/stacks/dev.yaml", "/p/stacks/dev.lock.yaml"],
    ["/p/stacks/dev.yml", "/p/stacks/dev.lock.yaml"],
    ["/p/stacks/dev.eu.yaml", "/p/stacks/dev.eu.lock.yaml"],
    ["/p/stacks/dev", "/p/stacks/dev.lock.yaml"],
  ])("of %s is %s", (file, path) => {
    expect(lockPath(file)).toBe(path);
  });
});

describe("formatLock", () => {
  it("says who wrote it, and what not to do with it", () => {
    expect(formatLock(lock)).toMatch(/^# Written by `berth lock` .* Commit it; do not edit it\.\n/);
  });

  it("is sorted, without anchors or folded lines, and keeps a version a text", () => {
    const text = formatLock(lock);
    expect(text).not.toMatch(/[&*]a\d/);
    expect(text).toContain('    backendVersion: "1.0"\n');
    const topLevel = text.split("\n").filter((line) => /^[a-z]/.test(line));
    expect(topLevel).toEqual(topLevel.toSorted());
    expect(text.split("\n").some((line) => line.length > 100)).toBe(true);
  });

  it("is read again as the same lock, whatever texts stand in it", () => {
    const text = fc.oneof(
      fc.string({ unit: "grapheme" }).filter((any) => !any.includes("\0")),
      fc.constantFrom(
        "null",
        "0.10",
        "yes",
        "~",
        "- a",
        "a: b",
        "#",
        "&a",
        "*a",
        "|",
        ">",
        "\n",
        "\r\n",
        " a ",
        "\t",
        "\u2028",
        "\u0001",
        "!!x",
        "{{port}}",
        '"',
        "'",
      ),
    );
    fc.assert(
      fc.property(text, fc.array(text), (one, several) => {
        const { chat: release } = lock.release;
        if (release === undefined) throw new Error("the sample has a deployment");
        const env = { A: one };
        const changed = { ...lock, release: { chat: { ...release, runCommand: one, parameters: several, env } } };
        expect(parseYaml(formatLock(changed), "a.lock.yaml", lockFile)).toEqual(changed);
      }),
    );
  });
});

describe("writeLock and readLock", () => {
  it("write a lock in one step, also into a folder that is not there, and read it", async () => {
    const folder = await temporaryFolder();
    const path = join(folder, "stacks", "dev.lock.yaml");
    await writeLock(path, lock);
    expect(await readFile(path, "utf8")).toBe(formatLock(lock));
    expect(await readdir(join(folder, "stacks"))).toEqual(["dev.lock.yaml"]);
    expect(await readLock(path, "stacks/dev.lock.yaml")).toEqual(lock);
  });

  it("know when there is no lock", async () => {
    expect(await readLock(join(await temporaryFolder(), "dev.lock.yaml"), "dev.lock.yaml")).toBeUndefined();
  });

  it.each([
    [
      "of a later version",
      formatLock(lock).replace("lockVersion: 1", "lockVersion: 2"),
      '"lockVersion": expected 1; got 2',
    ],
    ["with a field of a later version", `${formatLock(lock)}more: 1\n`, 'unknown key "more"'],
    ["cut short", formatLock(lock).slice(0, 200), "is missing"],
    ["that is empty", "", "the file is empty"],
  ])("refuse a lock %s, and say what to do", async (_, text, reason) => {
    const path = join(await temporaryFolder(), "dev.lock.yaml");
    await writeFile(path, text);
    const error = await rejectionOf(readLock(path, "dev.lock.yaml"));
    expect(error.code).toBe("lock-incompatible");
    expect(error.message).toContain("dev.lock.yaml: the lock cannot be read by this version of Berth");
    expect(error.message).toContain(reason);
    expect(error.message).toContain("run `berth lock` to solve the stack anew");
    const promoted = await rejectionOf(readLock(path, "dev.lock.yaml", () => true));
    expect([promoted.code, promoted.parts.hint]).toEqual([
      "lock-incompatible",
      "restore it from version control, or promote again",
    ]);
  });

  const oneSide = "take one side whole, by `git checkout --ours -- dev.lock.yaml` or with `--theirs`";
  it.each([
    ["solved", false, `${oneSide}, and run \`berth lock\``],
    [
      "promoted",
      true,
      `${oneSide}, keep the records of both in \`promotions\`, and promote again what the other side brought`,
    ],
  ])("tell how a merge is resolved that left a %s lock in conflict", async (_, isPromoted, hint) => {
    const path = join(await temporaryFolder(), "dev.lock.yaml");
    const theirs = formatLock(lock).replace(
      /^id: .*$/m,
      (line) => `<<<<<<< HEAD\n${line}\n=======\n${line}\n>>>>>>> x`,
    );
    expect(theirs).toContain("<<<<<<<");
    await writeFile(path, theirs);
    const { code, parts } = await rejectionOf(readLock(path, "dev.lock.yaml", () => isPromoted));
    const what = "the lock has the marks of a merge that is not resolved";
    expect([code, parts.what, parts.hint]).toEqual(["lock-incompatible", what, hint]);
  });
});
