import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { describe, expect, it } from "vitest";

import { models } from "../../../src/cli/models.js";
import { evictModels } from "../../../src/cli/models-evict.js";
import { writeEntry } from "../../../src/host/journal.js";
import { LocalHost } from "../../../src/host/local.js";
import { acquireHostLock } from "../../../src/host/lock.js";
import { machineIdentity, processIdentity } from "../../../src/host/process.js";
import { systemClock } from "../../../src/lib/clock.js";
import { sha256 } from "../../../src/lib/canonical.js";
import { buildLock } from "../../../src/lock/build.js";
import { formatLock } from "../../../src/lock/lock-file.js";
import { catalogueOf } from "../support/catalogues.js";
import { fakeEdges } from "../support/edges.js";
import { stackOf } from "../support/problems.js";
import { rejectionOf } from "../support/thrown.js";
import { testProject } from "../support/workplaces.js";

const model = (name: string) => ({
  source: "url" as const,
  url: `https://models.example/${name}`,
  sha256: sha256(name),
});

/** A project with a lock for each stack, which preload these models on one host, and that host's cache. */
async function setUp(stacks: Readonly<Record<string, readonly string[]>>, cached: readonly string[]) {
  const project = await testProject({ "Pulumi.yaml": "name: shop\n" });
  const { root } = project.workplace;
  const dataDir = join(root, "data");
  await mkdir(join(root, "stacks"));
  for (const [name, wanted] of Object.entries(stacks)) {
    const preload = Object.fromEntries(wanted.map((each) => [each, { model: model(each) }]));
    const stack = stackOf({}, { hosts: { box: { connection: "local", dataDir } }, preload });
    const problem = {
      owner: `shop/${name}`,
      ...{ stack, written: stack, catalogue: catalogueOf(), previous: undefined, resolved: {} },
    };
    const { lock } = await buildLock(problem, fakeEdges());
    await writeFile(join(root, "stacks", `${name}.lock.yaml`), formatLock(lock));
  }
  const folder = (name: string) => join(dataDir, "cache", "models", sha256(name));
  for (const name of cached) {
    await mkdir(folder(name), { recursive: true });
    await writeFile(join(folder(name), `${name}.gguf`), name.repeat(1000));
  }
  const host = new LocalHost("box", { PATH: process.env.PATH ?? "", HOME: "/" });
  const evict = (yes: boolean, named?: string) => evictModels(project.workplace, named, { stack: "dev", yes });
  const left = () => cached.filter((name) => existsSync(folder(name)));
  return { ...project, host, dataDir, folder, evict, left };
}

describe("`berth models evict`", () => {
  it("shows what nobody wants, and removes it only with --yes", async () => {
    const { evict, left, printed } = await setUp({ dev: [] }, ["one", "two"]);
    await evict(false);
    expect(printed.join("\n")).toMatch(/box +[0-9a-f]{12} +one\.gguf +1 +3\.0 kB +cache +none/);
    expect(printed.at(-1)).toBe("6.0 kB that nobody wants; nothing was removed, --yes does it");
    expect(left()).toEqual(["one", "two"]);
    await evict(true);
    expect(printed.at(-1)).toBe("6.0 kB freed");
    expect(left()).toEqual([]);
    await evict(true);
    expect(printed.at(-1)).toBe("nothing is there that nobody wants");
  });

  it("keeps what a lock of any stack of the project wants there, and what another project's stack has", async () => {
    const { evict, left, host, dataDir, printed, workplace } = await setUp({ dev: ["mine"], prod: ["theirs"] }, [
      "mine",
      "theirs",
      "foreign",
      "nobody",
    ]);
    const key = { kind: "ModelFiles", uses: `models/${sha256("foreign")}`, name: "m", owner: "other/dev" };
    await writeEntry(host, dataDir, { schemaVersion: 1, ...key, identity: "1", recorded: true });
    await models(workplace, undefined, { stack: "dev" });
    const rows = printed.map((line) => line.split(/ {2,}/));
    const userOf = (file: string) => rows.find((row) => row.includes(file))?.[6];
    expect(userOf("mine.gguf")).toBe("preload mine (lock)");
    expect(userOf("theirs.gguf")).toBe("shop/prod (lock)");
    expect(userOf("foreign.gguf")).toBe("other/dev");
    expect(userOf("nobody.gguf")).toBe("none");
    await evict(true);
    expect(left()).toEqual(["mine", "theirs", "foreign"]);
  });

  it("removes nothing where a lock cannot be read: nobody knows what it wants", async () => {
    const { evict, left, workplace } = await setUp({ dev: [] }, ["one"]);
    await writeFile(join(workplace.root, "stacks", "prod.lock.yaml"), "lockVersion: 99\n");
    const error = await rejectionOf(evict(true));
    expect(error.code).toBe("lock-incompatible");
    expect(error.message).toContain("stacks/prod.lock.yaml");
    expect(left()).toEqual(["one"]);
  });

  it("waits for who changes the host, tells for whom, and leaves no host lock behind", async () => {
    const { evict, left, host, dataDir, noted } = await setUp({ dev: [] }, ["one"]);
    const held = await acquireHostLock(host, dataDir, {
      id: "1",
      owner: "shop/prod",
      machine: await machineIdentity(),
      process: (await processIdentity(process.pid)) ?? "",
      clock: systemClock,
      isAlive: () => Promise.resolve(true),
      waitSeconds: 0,
    });
    const done = evict(true);
    for (let waited = 0; noted.length === 0 && waited < 200; waited += 1) await delay(50);
    expect(noted).toEqual(["box: waiting for shop/prod, which changes this host now"]);
    expect(left()).toEqual(["one"]);
    await held.release();
    await done;
    expect(left()).toEqual([]);
    expect(existsSync(join(dataDir, "lock.json"))).toBe(false);
  });

  it("goes on where it was interrupted: what is left of a model is as unwanted as before", async () => {
    const { evict, left, folder } = await setUp({ dev: [] }, ["one"]);
    await writeFile(join(folder("one"), "placement.json"), '{"schemaVersion":2,');
    await rm(join(folder("one"), "one.gguf"));
    await writeFile(join(folder("one"), "rest"), "half");
    await evict(true);
    expect(left()).toEqual([]);
  });

  it("is of the host that is named", async () => {
    const { evict, left } = await setUp({ dev: [] }, ["one"]);
    expect((await rejectionOf(evict(true, "other"))).code).toBe("usage");
    expect(left()).toEqual(["one"]);
    await evict(true, "box");
    expect(left()).toEqual([]);
  });

  it("touches nothing in a folder that holds other things, nor what Berth has not put into a cache", async () => {
    const { evict, left, dataDir } = await setUp({ dev: [] }, ["one"]);
    const weights = join(dataDir, "cache", "models", "my-weights");
    await mkdir(weights);
    await writeFile(join(weights, "model.bin"), "mine");
    await evict(true);
    expect(left()).toEqual([]);
    expect(existsSync(join(weights, "model.bin"))).toBe(true);

    const other = await setUp({ dev: [] }, ["one"]);
    await writeFile(join(other.dataDir, "notes.txt"), "mine");
    expect((await rejectionOf(other.evict(true))).code).toBe("command-failed");
    expect(other.noted.join("\n")).toContain("holds things that are not Berth's");
    expect(other.left()).toEqual(["one"]);
    expect(existsSync(join(other.dataDir, "lock.json"))).toBe(false);
  });

  it("makes no data directory where there is none", async () => {
    const { evict, dataDir } = await setUp({ dev: [] }, []);
    await evict(true);
    expect(existsSync(dataDir)).toBe(false);
  });
});
