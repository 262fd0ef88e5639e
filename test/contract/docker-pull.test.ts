import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { once } from "node:events";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import type { PullProgress } from "../../src/runtime/container-engine.js";
import type { DockerPace } from "../../src/runtime/docker-api.js";
import { DockerEngine } from "../../src/runtime/docker-engine.js";
import { FaultyProxy, type Fault } from "../support/faulty-proxy.js";
import { ImageRegistry, registryPassword, registryUser } from "../support/image-registry.js";
import { importShellImage, pushImage, whyNoDocker } from "../support/shell-image.js";
import { quickDockerPace } from "./docker-setting.js";

const reason = await whyNoDocker();
const isLeftOut = reason !== undefined && process.env.BERTH_TEST_ALL !== "1";

const login = { username: registryUser, password: registryPassword };
const crowded = '{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}';
const patience = 180_000;

describe.skipIf(isLeftOut)(`a pull${isLeftOut ? ` (left out: ${reason})` : ""}`, () => {
  let folder: string;
  let registry: ImageRegistry;
  let registryProxy: FaultyProxy;
  let dockerProxy: FaultyProxy;
  let reference: string;

  beforeAll(async () => {
    folder = mkdtempSync("/tmp/bf-");
    registry = await ImageRegistry.start();
    registryProxy = await FaultyProxy.start({ port: Number(registry.host.split(":")[1]) });
    const socketPath = join(folder, "d.sock");
    dockerProxy = await FaultyProxy.start({ socketPath: "/var/run/docker.sock" }, { socketPath });
  });
  beforeEach(async () => {
    // Of its own for each test: an engine keeps manifests, and layers that are on their way.
    const image = await importShellImage();
    const digest = await pushImage(registry, image, "team/shell");
    await execa("docker", ["rmi", image]);
    reference = `127.0.0.1:${registryProxy.port}/team/shell@${digest}`;
  });
  afterEach(async () => {
    registryProxy.spoil();
    dockerProxy.spoil();
    await reach().removeImage(reference);
  });
  afterAll(async () => {
    await dockerProxy.close();
    await registryProxy.close();
    await registry.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function reach(pace: Partial<DockerPace> = {}): DockerEngine {
    const open = async () => {
      const socket = connect(join(folder, "d.sock"));
      await once(socket, "connect");
      return socket;
    };
    return new DockerEngine("box", open, { ...quickDockerPace, ...pace });
  }

  const manifests = /manifests/;
  const blobs = /blobs/;

  it.each<{ name: string; fault: Fault }>([
    { name: "takes no more requests (429)", fault: { trouble: { status: 429, body: crowded }, requests: manifests } },
    { name: "is busy (503)", fault: { trouble: { status: 503, body: "busy" }, requests: manifests } },
    { name: "breaks off", fault: { trouble: { reset: "request" }, requests: manifests } },
    { name: "is busy with layers (503)", fault: { trouble: { status: 503, body: "busy" }, requests: blobs } },
    { name: "breaks off within layers", fault: { trouble: { truncateAt: 20_000 }, requests: blobs } },
  ])("comes to its end when the registry $name for a moment", { timeout: patience }, async ({ fault }) => {
    registryProxy.spoil({ ...fault, times: 1 });
    const engine = reach();
    await engine.pull(reference, { login });
    expect((await engine.findImage(reference))?.digests).toContain(reference);
  });

  it.each<{ name: string; fault: Fault; what: string; says: string; tries: number }>([
    {
      name: "takes no more requests (429)",
      fault: { trouble: { status: 429, body: crowded }, requests: manifests },
      what: "the registry takes no more requests for now",
      says: "slow down",
      tries: 2,
    },
    {
      name: "is busy (503)",
      fault: { trouble: { status: 503, body: "busy" }, requests: manifests },
      what: "the image did not come whole from the registry",
      says: "503",
      tries: 2,
    },
    {
      name: "refuses the login (403)",
      fault: {
        trouble: { status: 403, body: `{"errors":[{"code":"DENIED","message":"${registryPassword} is wrong"}]}` },
        requests: manifests,
      },
      what: "the registry does not give the image to this login",
      says: "docker login 127.0.0.1:",
      tries: 1,
    },
    {
      name: "lost a layer (404)",
      fault: {
        trouble: { status: 404, body: '{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}' },
        requests: blobs,
      },
      what: "the registry has no such image",
      says: "unknown",
      tries: 1,
    },
  ])("is given up when the registry $name", { timeout: patience }, async ({ fault, what, says, tries }) => {
    const engine = reach();
    registryProxy.spoil(fault);
    const error: unknown = await engine.pull(reference, { login }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "image-unavailable", parts: { where: `host box: image ${reference}`, what } });
    expect(String(error)).toContain(says);
    expect(String(error)).not.toContain(registryPassword);
    expect(dockerProxy.seen.filter((name) => name.includes("/images/create"))).toHaveLength(tries);
    expect(await engine.findImage(reference)).toBeUndefined();
  });

  it("is given up when layers never come whole", { timeout: patience }, async () => {
    registryProxy.spoil({ trouble: { truncateAt: 20_000 }, requests: blobs });
    const engine = reach({ pullRetries: 0 });
    await expect(engine.pull(reference, { login })).rejects.toMatchObject({ code: "image-unavailable" });
    expect(await engine.findImage(reference)).toBeUndefined();
  });

  it("is given up when no registry answers", async () => {
    const engine = reach();
    const nowhere = `127.0.0.1:1/team/shell@${reference.split("@")[1] ?? ""}`;
    await expect(engine.pull(nowhere)).rejects.toMatchObject({
      code: "image-unavailable",
      parts: { what: "the host does not reach the registry 127.0.0.1:1" },
    });
  });

  it("is begun again when the engine's answer breaks off, or just ends", async () => {
    const engine = reach();
    dockerProxy.spoil({ trouble: { truncateAt: 50 }, requests: /images\/create/, times: 1 });
    await engine.pull(reference, { login });
    expect(await engine.findImage(reference)).toBeDefined();
    await engine.removeImage(reference);
    dockerProxy.spoil({
      trouble: { status: 200, body: '{"status":"Pulling"}\n' },
      requests: /images\/create/,
      times: 1,
    });
    await engine.pull(reference, { login });
    expect(await engine.findImage(reference)).toBeDefined();
  });

  it.each([
    { message: "write /var/lib/docker/tmp/GetImageBlob1: no space left on device", code: "disk-full" },
    { message: "failed to register layer: something else", code: "docker-refused" },
  ])("tells an error that comes in the midst of its progress: $message", async ({ message, code }) => {
    const lines = [
      { status: "Downloading", id: "a" },
      { errorDetail: { message }, error: message },
    ];
    const body = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    dockerProxy.spoil({ trouble: { status: 200, body }, requests: /images\/create/ });
    const error: unknown = await reach()
      .pull(reference, { login })
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code });
    expect(String(error)).toContain(message);
  });

  it("is given up when the engine says nothing any more", async () => {
    dockerProxy.spoil({ trouble: { mute: true }, requests: /images\/create/ });
    const pulled = reach({ silenceSeconds: 1 }).pull(reference, { login });
    await expect(pulled).rejects.toMatchObject({ code: "docker-unreachable", parts: { got: "nothing within 1 s" } });
  });

  it("ends when nobody wants it any more", async () => {
    registryProxy.spoil({ trouble: { mute: true }, requests: blobs });
    const enough = new AbortController();
    const pulled = reach().pull(reference, { login, signal: enough.signal });
    const failed = expect(pulled).rejects.toThrow("enough");
    await expect.poll(() => registryProxy.seen.some((name) => blobs.test(name)), { timeout: 10_000 }).toBe(true);
    enough.abort(new Error("enough"));
    await failed;
    expect(await reach().findImage(reference)).toBeUndefined();
  });

  it("tells how far it is, and that all of it is there", async () => {
    const seen: PullProgress[] = [];
    await reach().pull(reference, { login, onProgress: (progress) => seen.push(progress) });
    const last = seen.at(-1);
    expect(last).toMatchObject({ layers: 1, doneLayers: 1 });
    for (const { doneLayers, layers, bytes, totalBytes } of seen) {
      expect(doneLayers).toBeLessThanOrEqual(layers);
      expect(bytes).toBeLessThanOrEqual(totalBytes);
    }
  });

  it("hands its login to the engine alone, and to no other call", async () => {
    await reach().pull(reference, { login });
    const auths = dockerProxy.headers.map((headers, index) => [dockerProxy.seen[index], headers["x-registry-auth"]]);
    expect(auths.filter(([, auth]) => auth !== undefined).map(([name]) => name)).toEqual([
      expect.stringContaining("/images/create?"),
    ]);
    expect(JSON.stringify(dockerProxy.seen)).not.toContain(registryPassword);
  });
});
