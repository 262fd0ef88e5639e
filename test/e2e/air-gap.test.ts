import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { sha256 } from "../../src/lib/canonical.js";
import { bundleFile } from "../../src/schema/bundle.js";
import { BoxedSetting, whyNoBoxes } from "../support/container-stack.js";
import { models } from "../support/fake-stack.js";
import type { Outcome, Sandbox } from "../support/sandbox.js";

const reason = await whyNoBoxes();
const title = `a host without a route to registries${reason === undefined ? "" : ` (${reason})`}`;

describe.skipIf(reason !== undefined)(title, () => {
  let setting: BoxedSetting;
  let sandbox: Sandbox;

  beforeAll(async () => {
    setting = await BoxedSetting.create();
    ({ sandbox } = setting);
    const withoutRoute = (text: string) => text.replace("connection: local,", "connection: local, images: neverPull,");
    setting.want({ chat: {} }, withoutRoute);
  });
  afterAll(() => setting.dispose());

  const berth = async (...args: string[]): Promise<string> => {
    const { exitCode, output } = await sandbox.berth(args);
    expect(exitCode, output).toBe(0);
    return output;
  };
  const load = (): Promise<Outcome> => sandbox.berth(["bundle", "load", "bundle", "--stack", "test"]);
  const hasImage = async () => {
    const label = `--filter=label=berth-test-registry=${setting.images.registry.host}`;
    return (await execa("docker", ["images", "--all", "--quiet", label])).stdout !== "";
  };
  const largest = () => {
    const folder = sandbox.path("bundle", "blobs", "sha256");
    const size = (name: string) => statSync(join(folder, name)).size;
    const [name = ""] = readdirSync(folder).sort((one, other) => size(other) - size(one));
    return join(folder, name);
  };
  const flip = (path: string) => {
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    writeFileSync(path, bytes);
  };

  it("is told by its lock which images and files it needs", async () => {
    await berth("lock", "test");
    const { reference, digest } = setting.versions["1"];
    expect(await berth("images", "--stack", "test", "--format", "names")).toBe(`${reference}@${digest}`);
    const rows: unknown = JSON.parse(await berth("images", "--stack", "test", "--all", "--format", "json"));
    expect(rows).toMatchObject([
      { kind: "image", name: reference, digest, from: reference, hosts: ["local"] },
      { kind: "model", name: "model.txt", sha256s: [sha256(models.good)], from: setting.server.url("/good.txt") },
    ]);
  });

  it("gets a bundle, which is made once: what is there needs no registry any more", async () => {
    const made = await berth("bundle", "create", "--stack", "test", "--out", "bundle");
    expect(made).toContain("1 image and 1 file");
    await setting.images.registry.close();
    await setting.server.close();
    expect(await berth("bundle", "create", "--stack", "test", "--out", "bundle")).toContain("1 image and 1 file");
    expect(await berth("bundle", "verify", "bundle")).toContain("all as their digests say");
    const contents = bundleFile.parse(JSON.parse(readFileSync(sandbox.path("bundle", "bundle.json"), "utf8")));
    expect(contents).toMatchObject({
      stack: "test",
      images: [{ digest: setting.versions["1"].digest, isWhole: true }],
    });
  });

  it("has its bundle made in a folder alone, and pushed without a password on the command line", async () => {
    writeFileSync(sandbox.path("file"), "mine");
    for (const out of ["file", "file/below", "/proc/bundle"]) {
      const { exitCode, output } = await sandbox.berth(["bundle", "create", "--stack", "test", "--out", out]);
      expect([exitCode, output]).toEqual([2, expect.stringContaining("(usage)")]);
    }
    const { exitCode, output } = await sandbox.berth([
      ...["bundle", "push", "bundle", "--registry", "ann:canary-3c@127.0.0.1:9/hub"],
    ]);
    expect([exitCode, output]).toEqual([2, expect.stringContaining("docker login")]);
    expect(output).not.toContain("canary-3c");
  });

  it("is given nothing of a bundle in which one byte was flipped, which is named", async () => {
    const path = largest();
    flip(path);
    const verified = await sandbox.berth(["bundle", "verify", "bundle"]);
    expect(verified.exitCode).toBe(1);
    expect(verified.output).toContain(`${path.slice(sandbox.path("bundle").length + 1)} has sha256 `);
    const loaded = await load();
    expect(loaded.exitCode).toBe(1);
    expect(loaded.output).toContain("(checksum-mismatch)");
    expect(await hasImage()).toBe(false);
    expect(sandbox.hostFiles()).not.toContain("models");
    flip(path);
    await berth("bundle", "verify", "bundle");
  });

  it("is deployed by digest after a load, and answers; a second load sends nothing", async () => {
    expect((await sandbox.up()).output).toContain("the host pulls no images");
    const { exitCode, output } = await load();
    expect(exitCode, output).toBe(0);
    expect(output).toContain(`brought: ${setting.versions["1"].reference}, model.txt`);
    expect((await load()).output).toContain("local: has all that it needs");
    await setting.up();
    const models = await fetch(`${setting.endpoint}/models`);
    expect(await models.json()).toMatchObject({ data: [{ id: "chat" }] });
    expect(await sandbox.refreshDrift()).toBe("");
  });

  it("loses the image that was loaded when nobody wants it", async () => {
    const { exitCode, output } = await sandbox.pulumi(["destroy", "--yes", "--stack", "test"]);
    expect(exitCode, output).toBe(0);
    expect(await hasImage()).toBe(false);
  });
});
