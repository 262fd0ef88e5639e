import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { once } from "node:events";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import type { ContainerBody } from "../../src/runtime/container-body.js";
import { defaultDockerPace, type DockerPace } from "../../src/runtime/docker-api.js";
import { DockerEngine } from "../../src/runtime/docker-engine.js";
import { FaultyProxy, type Trouble } from "../support/faulty-proxy.js";
import { importShellImage, whyNoDocker } from "../support/shell-image.js";
import { quickDockerPace } from "./docker-setting.js";

const reason = await whyNoDocker();
const isLeftOut = reason !== undefined && process.env.BERTH_TEST_ALL !== "1";

const mark = `m${randomBytes(4).toString("hex")}`;
const failure: Trouble = { status: 500, body: JSON.stringify({ message: "context canceled" }) };
const lostRequest: Trouble = { reset: "request" };
const lostAnswer: Trouble = { reset: "answer" };

describe.skipIf(isLeftOut)(`a Docker Engine that fails${isLeftOut ? ` (left out: ${reason})` : ""}`, () => {
  let folder: string;
  let proxy: FaultyProxy;
  let image: string;

  beforeAll(async () => {
    folder = mkdtempSync("/tmp/bf-");
    proxy = await FaultyProxy.start({ socketPath: "/var/run/docker.sock" }, { socketPath: join(folder, "d.sock") });
    image = await importShellImage();
  });
  afterEach(async () => {
    proxy.spoil();
    for (const { id } of await reach().listContainers({ "berth.test": mark })) await reach().removeContainer(id);
  });
  afterAll(async () => {
    await proxy.close();
    await execa("docker", ["rmi", "--force", image], { reject: false });
    rmSync(folder, { recursive: true, force: true });
  });

  function reach(pace: DockerPace = quickDockerPace): DockerEngine {
    const open = async () => {
      const socket = connect(join(folder, "d.sock"));
      await once(socket, "connect");
      return socket;
    };
    return new DockerEngine("box", open, pace);
  }

  const nameOf = (suffix: string) => `berth-test-${mark}-${suffix}`;
  const bodyOf = (Labels: object = {}) => {
    const Cmd = ["/bin/sh", "-c", "trap 'exit 0' TERM; echo up; sleep 1000 & wait"];
    return { Image: image, Cmd, Labels: { "berth.test": mark, ...Labels } } as object as ContainerBody;
  };
  const requests = (pattern: RegExp) => proxy.seen.filter((name) => pattern.test(name)).length;

  it("may take 5 seconds for each answer", async () => {
    proxy.spoil({ trouble: { slowSeconds: 5 } });
    const engine = reach(defaultDockerPace);
    const id = await engine.createContainer(nameOf("slow"), bodyOf());
    expect(await engine.inspectContainer(id)).toMatchObject({ state: "created" });
  });

  it("that never answers is given up, in words that say so", async () => {
    proxy.spoil({ trouble: { mute: true }, requests: /containers/ });
    const engine = reach({ ...quickDockerPace, callSeconds: 1 });
    for (const action of [() => engine.inspectContainer("x"), () => engine.createContainer(nameOf("mute"), bodyOf())]) {
      await expect(action()).rejects.toMatchObject({
        code: "docker-unreachable",
        parts: { what: "the Docker Engine does not answer", got: "nothing within 1 s" },
      });
    }
    expect(proxy.seen).toHaveLength(3);
  });

  it.each([
    { name: "fails", trouble: failure },
    { name: "breaks off before the request", trouble: lostRequest },
    { name: "breaks off before the answer", trouble: lostAnswer },
    { name: "breaks off within the answer", trouble: { truncateAt: 10 } },
  ])("that $name twice is asked again for what is only read", async ({ trouble }) => {
    const engine = reach();
    const id = await engine.createContainer(nameOf("read"), bodyOf());
    await engine.startContainer(id);
    await expect.poll(() => engine.readOutput(id, 10)).toBe("up\n");
    const reads = [
      () => engine.version(),
      () => engine.findImage(image),
      () => engine.inspectContainer(id),
      () => engine.listContainers({ "berth.test": mark }),
      () => engine.readOutput(id, 10),
    ];
    for (const read of reads) {
      const expected = await read();
      proxy.spoil({ trouble: "truncateAt" in trouble ? { truncateAt: 1 } : trouble, times: 2 });
      expect(await read()).toEqual(expected);
      expect(proxy.seen).toHaveLength(3);
    }
  });

  it("that fails for good is told with its own words, after some tries", async () => {
    const engine = reach();
    await engine.version();
    proxy.spoil({ trouble: failure, requests: /containers/ });
    const error: unknown = await engine.inspectContainer("chat").catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "docker-refused", parts: { where: "host box: container chat" } });
    expect(String(error)).toContain("HTTP status 500: context canceled");
    expect(requests(/containers/)).toBe(1 + quickDockerPace.retries);
  });

  it.each([
    { name: "fails", trouble: failure },
    { name: "breaks off before the request", trouble: lostRequest },
    { name: "breaks off before the answer", trouble: lostAnswer },
  ])("that $name once is told again to start, stop and remove", async ({ trouble }) => {
    const engine = reach();
    const id = await engine.createContainer(nameOf("again"), bodyOf());
    const spoil = () => proxy.spoil({ trouble, times: 1 });
    spoil();
    await engine.startContainer(id);
    expect(await engine.inspectContainer(id)).toMatchObject({ state: "running", restarts: 0 });
    spoil();
    await engine.stopContainer(id, 10);
    expect(await engine.inspectContainer(id)).toMatchObject({ state: "exited", exitCode: 0 });
    spoil();
    await engine.removeContainer(id);
    expect(await engine.inspectContainer(id)).toBeUndefined();
  });

  it.each([
    { name: "before the request", trouble: lostRequest, creates: 2 },
    { name: "before the answer", trouble: lostAnswer, creates: 1 },
  ])("that breaks off $name makes one container all the same", async ({ trouble, creates }) => {
    const engine = reach();
    await engine.version();
    proxy.spoil({ trouble, requests: /create/, times: 1 });
    const id = await engine.createContainer(nameOf("once"), bodyOf());
    expect(requests(/create/)).toBe(creates);
    expect(await engine.listContainers({ "berth.test": mark })).toMatchObject([{ id, name: nameOf("once") }]);
  });

  it("that has kept a container's place in a network is told to give it up, and the container starts", async () => {
    const engine = reach();
    const name = nameOf("left");
    const id = await engine.createContainer(name, bodyOf());
    const body = JSON.stringify({ message: `endpoint with name ${name} already exists in network bridge` });
    proxy.spoil({ trouble: { status: 403, body }, requests: /start/, times: 1 });
    await engine.startContainer(id);
    expect(await engine.inspectContainer(id)).toMatchObject({ state: "running" });
    const told = proxy.seen.filter((each) => each.startsWith("POST")).map((each) => each.split("/").at(-1));
    expect(told).toEqual(["start", "disconnect", "start"]);
  });

  it("does not have a container taken for the new one that has the name and other labels", async () => {
    const engine = reach();
    const other = await engine.createContainer(nameOf("other"), bodyOf({ "berth.spec": "1" }));
    proxy.spoil({ trouble: lostAnswer, requests: /create/, times: 1 });
    const made = engine.createContainer(nameOf("other"), bodyOf({ "berth.spec": "2" }));
    await expect(made).rejects.toMatchObject({ code: "host-foreign" });
    expect(await engine.inspectContainer(nameOf("other"))).toMatchObject({ id: other });
  });

  it("is not told twice to make a container when it said no", async () => {
    const engine = reach();
    await engine.version();
    proxy.spoil({ trouble: failure, requests: /create/ });
    await expect(engine.createContainer(nameOf("no"), bodyOf())).rejects.toMatchObject({ code: "docker-refused" });
    expect(requests(/create/)).toBe(1);
  });
});
