import { describe, expect, it } from "vitest";

import { BerthError } from "../../../src/lib/errors.js";
import { findPublishedPorts, sightOf } from "../../../src/runtime/docker-sight.js";
import { FakeEngine } from "../../support/fake-engine.js";
import { specOf } from "../support/container-specs.js";
import { containerBody } from "../../../src/runtime/container-body.js";

const known = { engine: "docker", version: "20.10.24", apiVersion: "1.41" };

describe("what is seen of a Docker Engine at its socket", () => {
  it("is its version, and the ports that lead into containers that run, by one list", async () => {
    const engine = new FakeEngine();
    const body = containerBody(specOf());
    engine.addImage(body.Image);
    await engine.createContainer("stopped", { ...body, ExposedPorts: {} });
    await engine.createContainer("runs", containerBody(specOf({ port: 14_005 })));
    await engine.startContainer("runs");
    const before = engine.calls.length;
    expect(await sightOf(engine)).toEqual({ engine: known, publishedPorts: [14_005] });
    expect(engine.calls.slice(before)).toEqual(["version", "listContainers {}"]);
  });

  it.each([
    ["that is too old", "listContainers", known],
    ["that this user may not use", "version", undefined],
  ] as const)("%s is what is wrong and what to do, and no error", async (what, method, engine) => {
    const fake = new FakeEngine();
    const error = new BerthError("host-unsuitable", { what, hint: "mend it" });
    fake.spoil({ method, loss: "request", error });
    expect(await sightOf(fake)).toEqual({ engine, problem: { what, hint: "mend it" }, publishedPorts: [] });
  });

  it("of a host that is lost is an error", async () => {
    const fake = new FakeEngine();
    fake.spoil({ method: "version", loss: "request", error: new BerthError("host-unreachable", { what: "lost" }) });
    await expect(sightOf(fake)).rejects.toMatchObject({ code: "host-unreachable" });
  });
});

describe("the ports that an engine leads into containers", () => {
  const host = {
    status: () => Promise.resolve({ kind: "other", size: 0, mode: 0o660, changedAt: "" } as const),
    run: () => Promise.reject(new Error("none")),
  };

  it("are found by one list", async () => {
    const engine = new FakeEngine();
    engine.addImage(containerBody(specOf()).Image);
    await engine.createContainer("runs", containerBody(specOf({ port: 14_005 })));
    await engine.startContainer("runs");
    const before = engine.calls.length;
    expect(await findPublishedPorts(host, () => Promise.resolve(engine))).toEqual([14_005]);
    expect(engine.calls.slice(before)).toEqual(["listContainers {}"]);
  });

  it("are none where the engine is of no use, and unknown where the host is lost", async () => {
    const failing = (code: "docker-unreachable" | "host-unreachable") => {
      const engine = new FakeEngine();
      engine.spoil({ method: "listContainers", loss: "request", error: new BerthError(code, { what: "away" }) });
      return findPublishedPorts(host, () => Promise.resolve(engine));
    };
    expect(await failing("docker-unreachable")).toEqual([]);
    await expect(failing("host-unreachable")).rejects.toMatchObject({ code: "host-unreachable" });
  });
});
