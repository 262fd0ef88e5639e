import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import type { FileStatus } from "../../../src/host/host.js";
import { LocalHost } from "../../../src/host/local.js";
import { Docker } from "../../../src/runtime/docker.js";
import { runnerId } from "../../../src/runtime/runner-id.js";
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

/** This machine, with a Docker Engine's socket or without one, whatever it has. */
class Machine extends LocalHost {
  constructor(
    home: string,
    readonly hasSocket: boolean,
  ) {
    super("local", { PATH: "/usr/bin:/bin", HOME: home });
  }

  override status(path: string): Promise<FileStatus | undefined> {
    if (!path.endsWith("/docker.sock")) return super.status(path);
    return Promise.resolve(this.hasSocket ? { kind: "other", size: 0, mode: 0o660, changedAt: "0" } : undefined);
  }
}

/** A data directory, and an engine that has the sample image. */
async function stage(engine = new FakeEngine(), hasSocket = true): Promise<Stage> {
  const dataDir = await temporaryFolder();
  const host = new Machine(dataDir, hasSocket);
  const runner = (changes: Partial<WrittenSpec> = {}): RunnerSpec => {
    const { argv, environment, settings, identity, bindAddress, port } = specOf(changes);
    return {
      id: runnerId("shop+dev+chat-0", "0123456789ab"),
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
    const state = { kind: "running", startedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string };
    expect(await docker.observe(runner())).toMatchObject({ state, restarts: 0, asDefined: true });
    expect(engine.calls.slice(before)).toEqual([expect.stringMatching(/^inspectContainer /)]);
    expect(engine.writes).toEqual(writes);
  });

  it("asks the engine five things to start a new one", async () => {
    const { engine, docker, runner } = await stage();
    await docker.prepare();
    await docker.start(runner());
    const methods = engine.calls.map((call) => call.split(" ", 1).join(""));
    expect(methods).toEqual(["findImage", "inspectContainer", "listContainers", "createContainer", "startContainer"]);
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
    expect(await docker.observe(runner())).toMatchObject({
      state: { kind: "absent" },
      changes: [`container ${foreign.slice(0, 12)} without a label of Berth's has its name`],
    });
    expect((await engine.inspectContainer(own.name))?.id).toBe(foreign);
  });

  it("is not even asked for on a host without an engine where no container was ever made", async () => {
    const engine = new FakeEngine();
    const { docker, runner } = await stage(engine, false);
    expect(await docker.list()).toEqual([]);
    expect(await docker.findLost("shop+dev+chat-0")).toEqual([]);
    await docker.remove(runner());
    expect(engine.calls).toEqual([]);
  });

  it("is not waited for where no container was ever made and the engine does not answer", async () => {
    const { engine, docker, runner } = await stage();
    engine.spoil({ method: "inspectContainer", loss: "request" }, { method: "listContainers", loss: "request" });
    expect(await docker.findLost("shop+dev+chat-0")).toEqual([]);
    await docker.remove(runner());
  });
});

describe("an instance whose program gave it a name with an @", () => {
  it("has a container of a name that engines take, and is found by what its labels say", async () => {
    const { engine, docker, runner } = await stage();
    const { container, ...rest } = runner();
    if (container === undefined) throw new Error("the runner has a container");
    const names = ["chat@eu", "chat_eu"];
    const instances = names.map((instance) => ({
      ...rest,
      id: runnerId(`shop+dev+${instance}`, "0123456789ab"),
      container: { ...container, identity: { ...container.identity, instance }, port: instance === "chat_eu" ? 1 : 2 },
    }));
    for (const spec of instances) await docker.start(spec);
    const found = await Promise.all(names.map((instance) => docker.findLost(`shop+dev+${instance}`)));
    expect(found).toEqual(instances.map(({ id }) => [id]));
    for (const spec of instances) expect((await docker.observe(spec)).asDefined).toBe(true);
    for (const spec of instances) await docker.remove(spec);
    expect(await engine.listContainers({})).toEqual([]);
  });
});

describe("a container that somebody renamed", () => {
  it("is found by its labels with one list, and told by its name", async () => {
    const { engine, docker, runner } = await stage();
    await docker.start(runner());
    const [own] = await engine.listContainers(labels);
    await engine.renameContainer(own?.id ?? "", "by-hand");
    const before = engine.calls.length;
    expect(await docker.observe(runner())).toMatchObject({
      state: { kind: "running" },
      asDefined: false,
      changes: ["renamed to by-hand"],
    });
    const calls = engine.calls.slice(before).map((call) => call.split(" ")[0]);
    expect(calls).toEqual(["inspectContainer", "listContainers", "inspectContainer"]);
  });

  it("gets its name back when it is started again, and runs on if nothing else was changed", async () => {
    const { engine, docker, runner } = await stage();
    await docker.start(runner());
    const [own] = await engine.listContainers(labels);
    const before = await engine.inspectContainer(own?.id ?? "");
    await engine.renameContainer(own?.id ?? "", "by-hand");
    await docker.start(runner());
    expect(await engine.inspectContainer(own?.id ?? "")).toEqual(before);
  });

  it("is stopped, read and removed by whatever name", async () => {
    const { engine, docker, runner } = await stage();
    await docker.start(runner());
    const [own] = await engine.listContainers(labels);
    await engine.renameContainer(own?.id ?? "", "by-hand");
    expect(await docker.readOutput(runner(), 5)).toBeDefined();
    await docker.stop(runner());
    expect((await engine.inspectContainer("by-hand"))?.state).toBe("exited");
    await docker.remove(runner());
    expect(await engine.listContainers({})).toEqual([]);
  });
});

describe("a container whose definition was lost", () => {
  it("is told, found among what is there, and removed with whatever was copied from it", async () => {
    const { engine, docker, dataDir, runner } = await stage();
    await docker.start(runner());
    const [own] = await engine.listContainers(labels);
    const body = (await engine.inspectContainer(own?.id ?? ""))?.body;
    if (body === undefined) throw new Error("the runner has a container");
    await engine.createContainer("copied-by-hand", body);
    await engine.createContainer("of-another", { ...body, Labels: { ...body.Labels, "berth.owner": "shop/other" } });
    await rm(join(dataDir, "containers"), { recursive: true });
    expect((await docker.observe(runner())).changes).toEqual(["its definition is gone"]);
    expect(await docker.list()).toEqual([]);
    expect(await docker.findLost("shop+dev+chat-0")).toContain(runner().id);
    await docker.remove(runner());
    expect((await engine.listContainers({})).map(({ name }) => name)).toEqual(["of-another"]);
  });
});

describe("a place that somebody else has", () => {
  /** A container without Berth's labels that has the name of the runner's. */
  async function taken(running = true) {
    const found = await stage();
    const { engine, docker, runner } = found;
    await docker.start(runner());
    const [own] = await engine.listContainers(labels);
    const body = (await engine.inspectContainer(own?.id ?? ""))?.body;
    if (own === undefined || body === undefined) throw new Error("the runner has a container");
    await docker.remove(runner());
    const foreign = await engine.createContainer(own.name, { ...body, Labels: {} });
    if (running) await engine.startContainer(foreign);
    return { ...found, foreign, name: own.name, place: docker.place };
  }

  it("is told with whose it is, what takes it away, and its ports", async () => {
    const { place, runner, foreign, name } = await taken();
    expect(await place.findForeign(runner())).toEqual({
      what: `container ${foreign.slice(0, 12)} without a label of Berth's`,
      command: `docker rm --force ${name}`,
      ports: [14_000],
    });
  });

  it.each([true, false])("is given back when the runner's is removed: running as before (%s)", async (running) => {
    const { engine, docker, place, runner, foreign, name } = await taken(running);
    const before = (await engine.inspectContainer(foreign))?.state;
    await place.clear(runner());
    expect(await engine.inspectContainer(foreign)).toMatchObject({ name: `${name}.aside-${foreign.slice(0, 8)}` });
    expect(await place.isCleared(runner())).toBe(true);
    await docker.start(runner());
    await docker.remove(runner());
    expect(await engine.inspectContainer(foreign)).toMatchObject({ name, state: before });
    expect(await place.isCleared(runner())).toBe(false);
    expect(await engine.listContainers(labels)).toEqual([]);
  });

  it.each(["stopContainer", "renameContainer"] as const)(
    "is given back as it was also when clearing it was interrupted at %s",
    async (method) => {
      const { engine, docker, place, runner, foreign, name } = await taken();
      engine.spoil({ method, loss: "answer" });
      await expect(place.clear(runner())).rejects.toThrow();
      engine.spoil();
      if (method === "stopContainer") await place.clear(runner());
      await docker.remove(runner());
      expect(await engine.inspectContainer(foreign)).toMatchObject({ name, state: "running" });
    },
  );

  it("is the runner's for good once it is settled", async () => {
    const { engine, docker, place, runner, foreign } = await taken();
    await place.clear(runner());
    await docker.start(runner());
    await place.settle(runner());
    expect(await engine.inspectContainer(foreign)).toBeUndefined();
    expect((await docker.observe(runner())).asDefined).toBe(true);
    expect(await docker.list()).toEqual([runner().id]);
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
      await docker.start(runner());
      await writeFile(join(dataDir, "containers", `${runner().id}.json`), text);
      expect(await docker.observe(runner())).toMatchObject({ asDefined: false, changes: ["its definition is gone"] });
    },
  );
});
