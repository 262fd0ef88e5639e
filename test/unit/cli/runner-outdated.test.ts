import { readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { examineRunners } from "../../../src/cli/examinations/runners.js";
import { printOutdated } from "../../../src/cli/runner-outdated.js";
import { packageRoot } from "../../../src/cli/workplace.js";
import { repository } from "../support/repository.js";
import { testProject } from "../support/workplaces.js";

const file = "backends/runners/cuda.yaml";
const shipped = readFileSync(join(repository, file), "utf8");
/** A copy of a Berth that did not have the images of the newest runtime yet. */
const older = shipped.replace(/ {2}- version: "12\.9"[^]*?(?= {2}- version: )/, "");

async function look(text: string) {
  const project = await testProject({ [file]: text });
  const { workplace, noted } = project;
  const exitCode = await printOutdated(workplace, { offline: true, format: "json" });
  const findings = examineRunners(workplace.root, packageRoot);
  return { ...project, exitCode, findings, noted };
}

describe("a project's own file of runner images", () => {
  it("that lacks images of Berth's is told, by berth runner outdated and by doctor", async () => {
    const { exitCode, printed, noted, findings } = await look(older);
    const [, note = ""] = noted;
    expect(note).toBe(
      `${file} lacks 11 images of Berth's file, in whose place it stands: cuda12.9-sglang0.5.9 cuda12.9-sglang0.5.8.post1` +
        ` cuda12.9-sglang0.5.7 and 8 more; to do: copy into ${file} what is wanted of ${join(packageRoot, file)}`,
    );
    expect([exitCode, JSON.parse(printed.join(""))]).toEqual([0, []]);
    const [found, mend] = note.split("; to do: ");
    expect(findings).toEqual([{ state: "note", subject: "runner images", found, mend }]);
  });

  it("that has all of them, or none, is not told", async () => {
    const { noted, findings } = await look(`${shipped}# ours\n`);
    expect([noted, findings]).toEqual([[expect.stringContaining("--offline")], []]);
    const none = await look(shipped.replace(/versions:\n[^]*/, "versions: []\n"));
    expect([none.noted.length, none.findings]).toEqual([1, []]);
    const { workplace } = await testProject();
    expect(examineRunners(workplace.root, packageRoot)).toEqual([]);
  });

  it("that cannot be read is told by doctor with its place", async () => {
    const { workplace } = await testProject({ [file]: "schemaVersion: 2\n" });
    expect(examineRunners(workplace.root, packageRoot)).toMatchObject([
      { state: "bad", found: expect.stringContaining(`${file}:1:16`) as string },
    ]);
  });
});
