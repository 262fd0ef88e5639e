import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { wantedPlugins } from "../../../src/lock/wanted-plugins.js";
import { temporaryFolder } from "../support/temporary-folder.js";

async function wantedBy(files: Record<string, string>): Promise<string[]> {
  const root = await temporaryFolder();
  mkdirSync(join(root, "stacks"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, "stacks", name), text);
  return wantedPlugins(root);
}

const stack = (host: string) => `schemaVersion: 1\nhosts: { a: { connection: local${host} } }\n`;

describe("the plugins that a project's stack files need", () => {
  it.each([
    ["none where nothing is declared", { "dev.yaml": stack(""), "prod.yaml": stack(", setup: {}") }, []],
    [
      "those of all files together",
      { "a.yaml": stack(", setup: { x: y }"), "b.yaml": stack(", volumes: { c: {} }") },
      ["command", "docker"],
    ],
    [
      "none of a file that is no stack",
      { "environments.yaml": "order: [dev]", "broken.yaml": "a: [", "x.lock.yaml": stack(", setup: { x: y }") },
      [],
    ],
    [
      "those that a file inherits, and not those that it takes away",
      {
        "a.yaml": stack("").replace("hosts", "deployments: { chat: { verify: { x: y } } }\nhosts"),
        "b.yaml": `extends: a.yaml\n${stack("")}`,
      },
      ["command"],
    ],
    [
      "none of files that extend each other and declare nothing",
      { "a.yaml": "extends: b.yaml", "b.yaml": "extends: a.yaml" },
      [],
    ],
  ])("are %s", async (_, files, wanted) => {
    expect(await wantedBy(files)).toEqual(wanted);
  });

  it("are none in a folder without stacks", async () => {
    expect(wantedPlugins(await temporaryFolder())).toEqual([]);
  });
});
