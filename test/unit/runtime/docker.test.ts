import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { Docker } from "../../../src/runtime/docker.js";
import type { RunnerSpec } from "../../../src/runtime/supervisor.js";
import { FakeEngine } from "../../support/fake-engine.js";
import { specOf, type WrittenSpec } from "../support/container-specs.js";
import { temporaryFolder } from "../support/temporary-folder.js";

interface Stage {
  readonly engine: FakeEngine;
  readonly docker: Docker;
  readonly dataDir: string;
  readonly runner: (changes?: Partial<WrittenSpec>) => RunnerSpec;
}

/** A data directory, and an engine that has the sample image. */
async function stage(engine = new FakeEngine()): Promise<Stage> {
  const dataDir = await temporaryFolder();
  const host = new LocalHost("local", { PATH: "/usr/bin:/bin", HOME: dataDir });
  const runner = (changes: Partial<WrittenSpec> = {}): RunnerSpec => {
    const { argv, environment, settings, identity, bindAddress, port } = specOf(changes);
    return {
      id: "chat-0.5f3a.0123456789ab",
      folder: join(dataDir, "instances", "chat-0", "0123456789ab"),
      ...{ startSeconds: 1, stopSeconds: 1, argv, environment },
      container: { settings, identity: { ...identity, dataDir }, bindAddress, port, imageId: "sha256:loaded" },
    };
  };
  engine.addImage(runner().container?.settings.image ?? "");
  return { engine, docker: new Docker({ host, dataDir, engine: () => Promise.resolve(engine) }), dataDir, runner };
}

const labels = { "berth.instance": "chat-0" };

describe("a runner in a container", () => {
  it("runs as it was made; looking at it again is one question and no change", async () => {
    const { engine, docker, runner } = await stage();
    await docker.start(runner());
    const { writes } = engine;
    const before = engine.calls.length;
    expect(await docker.observe(runner())).toMatchObject({ state: { kind: "running" }, restarts: 0, asDefined: true });
    expect(engine.calls.slice(before)).toEqual([expect.stringMatching(/^inspectContainer /)]);
    expect(engine.writes).toEqual(writes);
  });

  it("is kept when it is stopped, and the same one goes on when it is started again", async () => {
    const { engine, docker, runner } = await stage();
    await docker.start(runner());
    const [before] = await engine.listContainers(labels);
    await docker.stop(runner());
    expect((await docker.observe(runner())).state).toMatchObject({ kind: "stopped" });
    await docker.start(runner());
    expect(await engine.listContainers(labels)).toEqual([before]);
  });

  it("is another one when it is started with another definition", async () => {
    const { engine, docker, runner } = await stage();
    await docker.start(runner());
    const [before] = await engine.listContainers(labels);
    await docker.start(runner({ argv: ["serve", "--other"] }));
    const [after, ...others] = await engine.listContainers(labels);
    expect(others).toEqual([]);
    expect(after?.id).not.toBe(before?.id);
    expect((await docker.observe(runner())).asDefined).toBe(true);
  });

  it("has the image by its id where it was loaded and has no digest", async () => {
    const engine = new FakeEngine();
    const { docker, runner } = await stage(engine);
    await engine.removeImage(runner().container?.settings.image ?? "");
    engine.addImage("loaded", "sha256:loaded");
    await docker.start(runner());
    const [{ id } = { id: "" }] = await engine.listContainers(labels);
    expect((await engine.inspectContainer(id))?.body.Image).toBe("sha256:loaded");
    expect((await docker.observe(runner())).asDefined).toBe(true);
  });

  it("is written down with its secrets for its owner alone, and labels have none", async () => {
    const { engine, docker, dataDir, runner } = await stage();
    await docker.start(runner());
    const [file = ""] = await readdir(join(dataDir, "containers"));
    expect((await stat(join(dataDir, "containers"))).mode & 0o777).toBe(0o700);
    expect((await stat(join(dataDir, "containers", file))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(dataDir, "containers", file), "utf8")).toContain("hunter2");
    expect(JSON.stringify(await engine.listContainers(labels))).not.toContain("hunter2");
  });

  it.each(["createContainer", "startContainer"] as const)(
    "is there once, and runs, when %s was lost and it is started again",
    async (method) => {
      for (const loss of ["request", "answer"] as const) {
        const { engine, docker, runner } = await stage();
        engine.spoil({ method, loss });
        await expect(docker.start(runner())).rejects.toThrow();
        engine.spoil();
        await docker.start(runner());
        expect((await engine.listContainers(labels)).map(({ running }) => running)).toEqual([true]);
        await docker.remove(runner());
        expect(await engine.listContainers({})).toEqual([]);
      }
    },
  );
});

describe("an engine in trouble", () => {
  it("is no error for whoever looks, and one for whoever changes something", async () => {
    const { engine, docker, runner } = await stage();
    await docker.start(runner());
    engine.spoil({ method: "inspectContainer", loss: "request" });
    expect((await docker.observe(runner())).state).toEqual({ kind: "unsupervised" });
    await expect(docker.stop(runner())).rejects.toMatchObject({ code: "docker-unreachable" });
  });
});

describe("a data directory that was lost", () => {
  it("leaves containers, which end for the owner who has lost them, and for nobody else", async () => {
    const engine = new FakeEngine();
    const { docker, dataDir, runner } = await stage(engine);
    await docker.start(runner());
    await rm(join(dataDir, "containers"), { recursive: true });
    await docker.retire();
    await docker.retire("shop/other");
    expect(await engine.listContainers(labels)).toHaveLength(1);
  });
});

describe("a folder for the engine's cache", () => {
  it("is there before the container is made", async () => {
    const { docker, dataDir, runner } = await stage();
    const cache = { source: join(dataDir, "cache", "engines", "engine"), target: "/root/.cache" };
    await docker.start(runner({ settings: { ...specOf().settings, cache } }));
    expect((await stat(cache.source)).isDirectory()).toBe(true);
  });
});

describe("what is not Berth's", () => {
  it("is left alone: a container of the runner's name is told and stays", async () => {
    const { engine, docker, runner } = await stage();
    await docker.start(runner());
    const [own] = await engine.listContainers(labels);
    const body = (await engine.inspectContainer(own?.id ?? ""))?.body;
    if (own === undefined || body === undefined) throw new Error("the runner has a container");
    await engine.removeContainer(own.id);
    const foreign = await engine.createContainer(own.name, { ...body, Labels: { "berth.data-dir": "/other" } });
    await expect(docker.start(runner())).rejects.toThrow("another container has the name");
    await expect(docker.remove(runner())).rejects.toThrow("another container has the name");
    expect((await docker.observe(runner())).changes).toEqual(["labels"]);
    expect((await engine.inspectContainer(own.name))?.id).toBe(foreign);
  });

  it("is not even asked for where no container was ever made", async () => {
    const engine = new FakeEngine();
    const { docker, runner } = await stage(engine);
    expect(await docker.list()).toEqual([]);
    expect(await docker.observe(runner())).toMatchObject({ state: { kind: "absent" } });
    await docker.remove(runner());
    expect(engine.calls).toEqual([]);
  });
});

describe("the definition of a container", () => {
  it.each(["", "5", "{}", '{"Image": "x", "Env": [], "Labels": {}}', "[]"])(
    "that somebody made %j is no definition, and looking at it does not fail",
    async (text) => {
      const { docker, dataDir, runner } = await stage();
      await mkdir(join(dataDir, "containers"), { recursive: true });
      await writeFile(join(dataDir, "containers", `${runner().id}.json`), text);
      expect(await docker.observe(runner())).toMatchObject({ state: { kind: "absent" }, asDefined: false });
    },
  );
});
