import { existsSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { describe, expect, it } from "vitest";

import { collectGarbage } from "../../../src/cli/gc.js";
import { writeEntry } from "../../../src/host/journal.js";
import { LocalHost } from "../../../src/host/local.js";
import { keptFile } from "../../../src/install/content.js";
import { listStored, removeStored, type StoredPlace } from "../../../src/install/garbage-survey.js";
import { BerthError } from "../../../src/lib/errors.js";
import { sha256 } from "../../../src/lib/canonical.js";
import { buildLock } from "../../../src/lock/build.js";
import { formatLock } from "../../../src/lock/lock-file.js";
import { FakeEngine } from "../../support/fake-engine.js";
import { specOf } from "../support/container-specs.js";
import { containerBody } from "../../../src/runtime/container-body.js";
import { catalogueOf } from "../support/catalogues.js";
import { fakeEdges } from "../support/edges.js";
import { chat, stackOf } from "../support/problems.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rejectionOf } from "../support/thrown.js";
import { testProject } from "../support/workplaces.js";

const archive = (name: string) => `cache/archives/${sha256(name)}`;

/** A project with a lock that deploys the sample backend, and what lies on its host: files by their path. */
async function setUp(files: Readonly<Record<string, string>>) {
  const project = await testProject({ "Pulumi.yaml": "name: shop\n" });
  const { root } = project.workplace;
  const dataDir = join(root, "data");
  await mkdir(join(root, "stacks"));
  const stack = stackOf({ chat: chat() }, { hosts: { box: { connection: "local", dataDir } } });
  const problem = {
    owner: "shop/dev",
    stack,
    written: stack,
    catalogue: catalogueOf(),
    previous: undefined,
    resolved: {},
  };
  const { lock } = await buildLock(problem, fakeEdges());
  await writeFile(join(root, "stacks", "dev.lock.yaml"), formatLock(lock));
  const wanted = Object.values(lock.release)[0];
  if (wanted === undefined) throw new Error("the lock has a deployment");
  await write(dataDir, files);
  const host = new LocalHost("box", { PATH: process.env.PATH ?? "", HOME: root });
  const gc = (yes: boolean, more: object = {}) => collectGarbage(project.workplace, "dev", { yes, ...more });
  const isLeft = (path: string) => existsSync(join(dataDir, path));
  return { ...project, host, dataDir, gc, isLeft, wanted: `${wanted.backend}_${wanted.backendVersion}` };
}

async function write(dataDir: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(dataDir, path)), { recursive: true });
    await writeFile(join(dataDir, path), text);
  }
}

function installed(dataDir: string, name: string) {
  const downloads = [join(dataDir, archive(name))];
  return JSON.stringify({
    ...{ schemaVersion: 1, id: "1", artifact: "a", environment: "", executable: "", retention: 2, downloads },
  });
}

describe("`berth gc`", () => {
  it("shows what nobody wants with its size and last use, and removes it only with --yes", async () => {
    const { gc, isLeft, printed, dataDir } = await setUp({ [archive("old")]: "x".repeat(2000) });
    await write(dataDir, {
      "backends/old_1.0/1/bin/old": "x".repeat(3000),
      "backends/old_1.0/installation.json": installed(dataDir, "old"),
    });
    await mkdir(join(dataDir, "bin"));
    await symlink(join(dataDir, "backends/old_1.0/1/bin/old"), join(dataDir, "bin/old_1.0"));
    await gc(false);
    const today = new Date().toISOString().slice(0, 10);
    expect(printed.join("\n")).toMatch(new RegExp(`box +backend +old 1\\.0 +3\\.\\d kB +${today}`));
    expect(printed.join("\n")).toMatch(new RegExp(`box +download +old 1\\.0 +2\\.0 kB +${today}`));
    expect(printed.at(-1)).toMatch(/^5\.\d kB that nobody wants; nothing was removed, --yes does it$/);
    expect(isLeft("bin/old_1.0")).toBe(true);
    await gc(true);
    expect(printed.at(-1)).toMatch(/^5\.\d kB freed$/);
    for (const path of ["backends/old_1.0", "bin/old_1.0", archive("old")])
      expect([path, isLeft(path)]).toEqual([path, false]);
    await gc(true);
    expect(printed.at(-1)).toBe("nothing is there that nobody wants");
  });

  it("keeps what a lock or another project's stack wants, what a runner runs from, and what is not Berth's", async () => {
    const { gc, isLeft, host, dataDir, wanted } = await setUp({
      [archive("mine")]: "m",
      "cache/engines/nobody/a": "a",
    });
    const [backend = ""] = wanted.split("_");
    const kept = [
      `backends/${wanted}`,
      "backends/theirs_1.0",
      "backends/runs_1.0",
      archive("mine"),
      `cache/engines/${backend}`,
    ];
    await write(dataDir, {
      [`backends/${wanted}/installation.json`]: installed(dataDir, "mine"),
      [`cache/engines/${backend}/a`]: "a",
      "backends/theirs_1.0/file": "t",
      "backends/runs_1.0/file": "r",
      "instances/other+dev+chat-0/0123456789ab/exec.json": JSON.stringify({
        ...{ argv: [join(dataDir, "bin/runs_1.0")], environment: {}, directory: "/" },
      }),
    });
    const key = { kind: "BackendVersion", uses: "backends/theirs_1.0", name: "b", owner: "other/dev" };
    await writeEntry(host, dataDir, { schemaVersion: 1, ...key, identity: "1", recorded: true });
    await gc(true);
    expect(kept.filter((path) => !isLeft(path))).toEqual([]);
    expect(isLeft("cache/engines/nobody")).toBe(false);
  });

  it("removes what the project keeps for releases that nothing names any more, unless one host is asked for", async () => {
    const { gc, printed, workplace } = await setUp({});
    const path = join(workplace.root, keptFile(sha256("old")));
    await write(workplace.root, { [keptFile(sha256("old"))]: "old" });
    await gc(true, { host: "box" });
    expect(existsSync(path)).toBe(true);
    await gc(false);
    expect(printed.join("\n")).toMatch(new RegExp(`- +kept file +${keptFile(sha256("old"))} +3 B`));
    await gc(true);
    expect(existsSync(path)).toBe(false);
  });

  it("refuses a host that the stack does not have, and tells programs in JSON", async () => {
    const { gc, printed } = await setUp({ [archive("old")]: "x" });
    expect((await rejectionOf(gc(false, { host: "none" }))).code).toBe("usage");
    await gc(false, { json: true });
    expect(JSON.parse(printed.join("\n"))).toMatchObject([{ host: "box", kind: "download", sizeBytes: 1 }]);
  });
});

describe("images that Berth pulled", () => {
  const digest = `sha256:${"a".repeat(64)}`;
  const name = `team/engine@${digest}`;

  async function place(engine: FakeEngine): Promise<StoredPlace> {
    const dataDir = await temporaryFolder();
    const host = new LocalHost("box", { PATH: process.env.PATH ?? "", HOME: dataDir });
    await write(dataDir, { [`images/${"a".repeat(64)}.json`]: JSON.stringify({ schemaVersion: 1, names: [name] }) });
    return { host, dataDir, engine: () => Promise.resolve(engine) };
  }

  it("are listed with their sizes, and removed; others are not even listed", async () => {
    const engine = new FakeEngine();
    engine.addImage(name);
    engine.addImage(`team/foreign@${digest.replaceAll("a", "b")}`);
    const where = await place(engine);
    const { stored } = await listStored(where);
    expect(stored).toMatchObject([{ kind: "image", name, sizeBytes: 1000, heldBy: [] }]);
    for (const thing of stored) expect(await removeStored(where, thing)).toBeUndefined();
    expect(await engine.findImage(name)).toBeUndefined();
    expect((await listStored(where)).stored).toEqual([]);
  });

  it("are held by containers that were made of them, and stay when one comes between", async () => {
    const engine = new FakeEngine();
    engine.addImage(name);
    const where = await place(engine);
    const [before] = (await listStored(where)).stored;
    await engine.createContainer("somebody", { ...containerBody(specOf()), Image: name });
    expect((await listStored(where)).stored).toMatchObject([{ heldBy: ["somebody"] }]);
    if (before === undefined) throw new Error("the image is listed");
    expect(await removeStored(where, before)).toBe("container somebody was made of it");
    expect(await engine.findImage(name)).toBeDefined();
  });

  it("are left out, and that is told, where the engine does not answer", async () => {
    const engine = new FakeEngine();
    const error = new BerthError("docker-unreachable", { what: "no Docker Engine listens on its socket" });
    engine.spoil({ method: "listContainers", loss: "request", error });
    expect(await listStored(await place(engine))).toEqual({ stored: [], problems: [error.parts.what] });
  });
});
