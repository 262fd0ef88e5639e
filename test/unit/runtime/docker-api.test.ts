import { connect } from "node:net";
import { once } from "node:events";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { Host } from "../../../src/host/host.js";
import { systemError } from "../../../src/host/system-message.js";
import { BerthError } from "../../../src/lib/errors.js";
import { defaultDockerPace } from "../../../src/runtime/docker-api.js";
import { createContainerEngine } from "../../../src/runtime/docker-engine.js";
import { FaultyProxy } from "../../support/faulty-proxy.js";

const pace = { ...defaultDockerPace, firstWaitSeconds: 0.01 };
const version = (more: object) => ({
  status: 200,
  body: JSON.stringify({ Version: "20.10.24", ApiVersion: "1.41", ...more }),
});

describe("the Docker Engine API over a socket", () => {
  let server: FaultyProxy;
  const seen: string[] = [];

  beforeEach(async () => {
    // Nothing is behind it: it answers by itself.
    server = await FaultyProxy.start({ port: 1 });
    seen.length = 0;
  });
  afterEach(() => server.close());

  /** @param sockets paths where the engine listens; what is thrown elsewhere */
  function engineAt(sockets: readonly string[], elsewhere: (path: string) => Error = absent) {
    const openSocket = async (path: string) => {
      seen.push(path);
      if (!sockets.includes(path)) throw elsewhere(path);
      const socket = connect(server.port, "127.0.0.1");
      await once(socket, "connect");
      return socket;
    };
    const run = () => Promise.resolve({ exitCode: 0, stdout: "1000", stderr: "" });
    return createContainerEngine({ name: "gpu-1", openSocket, run } as object as Host, pace);
  }
  const absent = (path: string) => systemError("ENOENT", path, "No such file or directory");
  const usual = "/var/run/docker.sock";

  it.each([
    { says: version({}), speaks: "/v1.41/" },
    { says: version({ ApiVersion: "1.55", MinAPIVersion: "1.24" }), speaks: "/v1.41/" },
    { says: version({ ApiVersion: "1.55", MinAPIVersion: "1.44" }), speaks: "/v1.44/" },
    { says: version({ ApiVersion: "2.0", MinAPIVersion: "1.100" }), speaks: "/v1.100/" },
  ])("is spoken in the version that was tested, or the oldest that there is: $speaks", async ({ says, speaks }) => {
    server.spoil({ trouble: says, requests: /version/ }, { trouble: { status: 200, body: "[]" } });
    const engine = engineAt([usual]);
    expect(await engine.listContainers({})).toEqual([]);
    expect(await engine.listContainers({})).toEqual([]);
    expect(server.seen.map((name) => name.split("?")[0])).toEqual([
      "GET /version",
      `GET ${speaks}containers/json`,
      `GET ${speaks}containers/json`,
    ]);
  });

  it.each(["1.40", "1.9", "0.99"])("is not spoken to an engine that is too old: API %s", async (ApiVersion) => {
    server.spoil({ trouble: version({ ApiVersion, Version: "19.03.1" }) });
    const error: unknown = await engineAt([usual])
      .listContainers({})
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "host-unsuitable" });
    expect(String(error)).toContain("gpu-1");
    expect(String(error)).toContain("Docker 19.03.1");
  });

  it.each(["<html>", "{}", '{"Version":1,"ApiVersion":"1.41"}'])(
    "is not what something else says: %s",
    async (body) => {
      server.spoil({ trouble: { status: 200, body } });
      await expect(engineAt([usual]).version()).rejects.toMatchObject({ code: "docker-refused" });
    },
  );

  it("goes over the user's own socket where the system has none", async () => {
    server.spoil({ trouble: version({}) });
    expect(await engineAt(["/run/user/1000/docker.sock"]).version()).toEqual({
      product: "docker",
      version: "20.10.24",
      apiVersion: "1.41",
    });
    expect(seen).toEqual([usual, "/run/user/1000/docker.sock"]);
  });

  it("tells that there is no socket, by the usual one", async () => {
    const error: unknown = await engineAt([])
      .version()
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: "docker-unreachable",
      parts: { what: "there is no socket of a Docker Engine" },
    });
  });

  it("tells whoever may not use the socket what to do, and does not look for another", async () => {
    const denied = (path: string) => systemError("EACCES", path, "Permission denied");
    const error: unknown = await engineAt([], denied)
      .version()
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "docker-unreachable" });
    expect(String(error)).toContain("group docker");
    expect(seen).toEqual([usual]);
  });

  it("lets pass what the host's own connection says", async () => {
    const lost = new BerthError("host-unreachable", { what: "the host is down" });
    await expect(engineAt([], () => lost).findImage("x")).rejects.toBe(lost);
    expect(seen).toHaveLength(1);
  });

  it("tries again when nobody listens for a moment", async () => {
    let tries = 0;
    const refused = () => {
      tries += 1;
      return systemError("ECONNREFUSED", usual, "Connection refused");
    };
    await expect(engineAt([], refused).version()).rejects.toMatchObject({ code: "docker-unreachable" });
    expect(tries).toBe(1 + pace.retries);
  });
});
