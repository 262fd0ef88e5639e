import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import type { RegistryLogin } from "../../../src/host/registry-login.js";
import { LocalHost } from "../../../src/host/local.js";
import { writeEntry } from "../../../src/host/journal.js";
import { BerthError } from "../../../src/lib/errors.js";
import type { LogEvent } from "../../../src/lib/log.js";
import { backendVersionInputs, type BackendVersionInputs } from "../../../src/resources/backend-version-inputs.js";
import { backendVersionKind } from "../../../src/resources/backend-version.js";
import { compareFields } from "../../../src/resources/difference.js";
import { contextOf, operationOf } from "../support/contexts.js";
import { containerBody } from "../../../src/runtime/container-body.js";
import { specOf } from "../support/container-specs.js";
import { FakeEngine } from "../../support/fake-engine.js";
import { facts } from "../support/problems.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rejectionOf } from "../support/thrown.js";

const digest = `sha256:${"a".repeat(64)}`;
const uses = `images/${"a".repeat(64)}`;
const pinned = `team/engine@${digest}`;
const pullFrom = "one.example.net/team/engine:1.0";
const registryLogin = ({ username, password }: RegistryLogin) => ({
  registryUser: username,
  registryPassword: password,
});
const key = { owner: "shop/dev", name: "local.engine_1.0", uses };

/** By name, with who may pull it. */
const onceMirrored = `one.example.net/team/engine@${digest}`;
const ann = { username: "ann", password: "canary-login-81c" };
const bob = { username: "bob", password: "canary-login-4d0" };

async function setUp(changes: Partial<BackendVersionInputs> = {}, login: RegistryLogin = bob) {
  const home = await temporaryFolder();
  const reference = { name: "local", connection: "local" as const, dataDir: join(home, "data") };
  const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: home });
  const engine = new FakeEngine({ registry: { [pinned]: undefined, [onceMirrored]: login } });
  const pulls = () => engine.calls.filter((call) => call.startsWith("pull "));
  const log: LogEvent[] = [];
  const context = {
    ...contextOf(host),
    reference,
    facts: () => Promise.resolve({ ...facts, home }),
    containerEngine: () => Promise.resolve(engine),
    log: (event: LogEvent) => log.push(event),
  };
  const inputs = backendVersionInputs.parse({
    name: "local.engine_1.0",
    owner: "shop/dev",
    host: reference,
    backend: "engine",
    version: "1.0",
    method: "image",
    reference: "team/engine:1.0",
    digest,
    ...changes,
  });
  const converge = async (more: Partial<BackendVersionInputs> = {}, failsAt?: string) => {
    const { operation, steps } = operationOf(failsAt);
    await backendVersionKind.converge(context, operation, { ...inputs, ...more });
    return steps;
  };
  const remove = async () => {
    const { operation, steps } = operationOf();
    await backendVersionKind.remove(context, operation, key);
    return steps;
  };
  const observe = (more: Partial<BackendVersionInputs> = {}) =>
    backendVersionKind.observe(context, { ...inputs, ...more }, undefined);
  return { home, host, reference, engine, pulls, context, inputs, log, converge, observe, remove };
}

describe("a backend version that is an image", () => {
  it("that could not be pulled and that somebody then pulls by hand is theirs, and stays", async () => {
    const { engine, converge, observe, remove } = await setUp();
    engine.spoil({ method: "pull", loss: "request" });
    await rejectionOf(converge());
    engine.spoil();
    engine.addImage(pinned);
    expect((await observe()).drift).toEqual([]);
    expect(await converge()).toEqual([]);
    await remove();
    expect(await engine.findImage(pinned)).toBeDefined();
  });

  it("of whose pull only the answer was lost is Berth's, and goes with it", async () => {
    const { engine, converge, remove } = await setUp();
    engine.spoil({ method: "pull", loss: "answer" });
    await rejectionOf(converge());
    engine.spoil();
    await remove();
    expect(await engine.findImage(pinned)).toBeUndefined();
  });

  it("is given up where its engine was uninstalled, and not where that is only down", async () => {
    for (const remains of ["", "/var/lib/docker\n"]) {
      const { engine, host, converge, remove, context } = await setUp();
      await converge();
      engine.spoil({ method: "findImage", loss: "request" });
      Object.assign(context, {
        host: new Proxy(host, {
          get: (target, name) => {
            if (name === "run") return () => Promise.resolve({ exitCode: 0, stdout: remains, stderr: "" });
            const member: unknown = Reflect.get(target, name, target);
            return typeof member === "function" ? (member as () => unknown).bind(target) : member;
          },
        }),
      });
      const removed = remove();
      if (remains === "") await removed;
      else await expect(removed).rejects.toThrow("/var/lib/docker");
    }
  });

  it("is pulled by its digest, verified, and known by the engine's id of it; a second run does nothing", async () => {
    const { engine, pulls, log, converge, observe } = await setUp();
    expect(await observe()).toMatchObject({ installation: "", drift: [expect.stringContaining(pinned)] });
    expect(await converge()).toEqual(["pull the image", "verify"]);
    expect(pulls()).toEqual([`pull ${pinned}`]);
    const found = await engine.findImage(pinned);
    expect(await observe()).toEqual({ executable: "", installation: found?.id, drift: [] });
    expect(await converge()).toEqual([]);
    const progress = { kind: "progress", subject: "local.engine_1.0", text: "engine 1.0" };
    expect(log).toContainEqual({ ...progress, current: 500, total: 1000, parts: { done: 0, all: 1 } });
  });

  it("is pulled anew when somebody removed it", async () => {
    const { engine, converge, observe } = await setUp();
    await converge();
    await engine.removeImage(pinned);
    expect((await observe()).drift).toHaveLength(1);
    expect(await converge()).toEqual(["pull the image", "verify"]);
  });

  it("is pulled from the mirror, and still known when the mirror is another", async () => {
    const { pulls, converge, observe } = await setUp({ pullFrom, ...registryLogin(bob) });
    await converge();
    expect(pulls()).toEqual([`pull ${onceMirrored}`]);
    const moved = { pullFrom: "two.example.net/hub/team/engine:1.0" };
    expect((await observe(moved)).drift).toEqual([]);
    expect(await converge(moved)).toEqual([]);
  });

  it("is not taken for there when the engine pulled something else", async () => {
    const { engine, converge } = await setUp();
    engine.pull = () => {
      engine.addImage(`team/engine@sha256:${"e".repeat(64)}`);
      return Promise.resolve();
    };
    expect(await rejectionOf(converge())).toMatchObject({ code: "checksum-mismatch" });
  });

  it("tells as drift that no engine answers, and as an error when it is to be pulled", async () => {
    const { context, inputs } = await setUp();
    const refusal = new BerthError("host-unsuitable", { what: "there is no socket of a Docker Engine" });
    const without = { ...context, containerEngine: () => Promise.reject(refusal) };
    const { drift } = await backendVersionKind.observe(without, inputs, undefined);
    expect(drift).toEqual(["its image cannot be looked for: there is no socket of a Docker Engine"]);
    await expect(backendVersionKind.converge(without, operationOf().operation, inputs)).rejects.toBe(refusal);
    const away = {
      ...context,
      containerEngine: () => Promise.reject(new BerthError("host-unreachable", { what: "" })),
    };
    await expect(backendVersionKind.observe(away, inputs, undefined)).rejects.toMatchObject({
      code: "host-unreachable",
    });
  });

  it("is another resource with another digest, and the same one at another mirror or with another password", async () => {
    const { inputs } = await setUp();
    const changed = (news: Partial<BackendVersionInputs>) =>
      compareFields(backendVersionKind.differences, inputs, { ...inputs, ...news }).map(({ change }) => change);
    expect(changed({ digest: `sha256:${"b".repeat(64)}` })).toEqual(["replace"]);
    expect(changed({ method: "manual" })).toEqual(["replace"]);
    expect(changed({ pullFrom: "one.example.net/engine:1.0", registryPassword: "canary" })).toEqual([]);
    expect(backendVersionKind.uses(inputs)).toBe(uses);
  });
});

describe("the login for an image", () => {
  /** The host's own, as `docker login` writes it. */
  const logIn = async (home: string) => {
    const auth = Buffer.from(`${bob.username}:${bob.password}`).toString("base64");
    await mkdir(join(home, ".docker"));
    await writeFile(join(home, ".docker", "config.json"), JSON.stringify({ auths: { "one.example.net": { auth } } }));
  };

  it("is what docker login left on the host", async () => {
    const { home, converge, observe } = await setUp({ pullFrom });
    expect(await rejectionOf(converge())).toMatchObject({ code: "image-unavailable" });
    await logIn(home);
    await converge();
    expect((await observe()).drift).toEqual([]);
  });

  it("is the stack's before that, and kept from what is told", async () => {
    const { home, inputs, log, converge, observe } = await setUp({ pullFrom, ...registryLogin(ann) }, ann);
    await logIn(home);
    await converge();
    expect(backendVersionKind.secrets(inputs)).toEqual([ann.password]);
    expect(JSON.stringify([log, await observe()])).not.toContain("canary");
  });
});

describe("a host that pulls no images", () => {
  const loaded = `sha256:${"f".repeat(64)}`;
  const others = [
    { reference: "team/engine:1.0", digest },
    { reference: "team/second:2.0", digest: `sha256:${"b".repeat(64)}` },
    { reference: "team/third:3.0", digest: `sha256:${"d".repeat(64)}`, ids: [loaded] },
  ];

  it("names all that it lacks at once, and pulls nothing", async () => {
    const { engine, pulls, converge } = await setUp({ neverPull: others });
    engine.addImage("third:3.0", loaded);
    const error = await rejectionOf(converge());
    expect(error).toMatchObject({ code: "host-unsuitable" });
    expect(String(error)).toContain("docker load");
    for (const { reference, digest: of } of others.slice(0, 2)) expect(String(error)).toContain(`${reference}@${of}`);
    expect(String(error)).not.toContain("third");
    expect(pulls()).toEqual([]);
  });

  it("takes what was loaded from an archive", async () => {
    const { engine, converge, observe } = await setUp({ ids: [loaded], neverPull: others });
    engine.addImage("engine:1.0", loaded);
    expect(await converge()).toEqual([]);
    expect(await observe()).toMatchObject({ installation: loaded, drift: [] });
  });
});

describe("removing a backend version that is an image", () => {
  it("takes away what Berth pulled, and its record", async () => {
    const { host, reference, engine, converge, remove } = await setUp();
    await converge();
    expect(await remove()).toEqual(["remove the image"]);
    expect(await engine.findImage(pinned)).toBeUndefined();
    expect(await host.list(join(reference.dataDir, "images"))).toEqual([]);
    expect(await remove()).toEqual([]);
  });

  it("takes away what a run that was interrupted had pulled", async () => {
    const { engine, converge, remove } = await setUp();
    await expect(converge({}, "verify")).rejects.toThrow();
    expect(await engine.findImage(pinned)).toBeDefined();
    await remove();
    expect(await engine.findImage(pinned)).toBeUndefined();
  });

  it("leaves an image that was there before", async () => {
    const { engine, converge, remove } = await setUp();
    engine.addImage(pinned);
    await converge();
    expect(await remove()).toEqual([]);
    expect(await engine.findImage(pinned)).toBeDefined();
  });

  it("leaves one that a container was made of, and says so", async () => {
    const { engine, log, converge, remove } = await setUp();
    await converge();
    await engine.createContainer("somebody", { ...containerBody(specOf()), Image: pinned });
    await remove();
    expect(await engine.findImage(pinned)).toBeDefined();
    expect(log.at(-1)).toMatchObject({ kind: "warning", text: expect.stringContaining("somebody") as string });
  });

  it("leaves one that another stack wants, by whatever backend", async () => {
    const { host, reference, engine, converge, remove } = await setUp();
    await converge();
    const other = { schemaVersion: 1 as const, kind: "BackendVersion", identity: "x", recorded: true };
    await writeEntry(host, reference.dataDir, { ...other, owner: "shop/prod", name: "local.own_2", uses });
    expect(await remove()).toEqual([]);
    expect(await engine.findImage(pinned)).toBeDefined();
  });
});
