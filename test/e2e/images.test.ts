import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { registryPassword, registryUser } from "../support/image-registry.js";
import { ProcessWatch } from "../support/process-watch.js";
import { Sandbox, type Outcome } from "../support/sandbox.js";
import { TestImages, whyNoTestImages, type TestImage } from "../support/test-image.js";

const missing = await whyNoTestImages();
const isLeftOut = missing !== undefined && process.env.BERTH_TEST_ALL !== "1";
const auth = Buffer.from(`${registryUser}:${registryPassword}`).toString("base64");

describe.skipIf(isLeftOut)(`images that lie ready${isLeftOut ? ` (left out: ${missing})` : ""}`, () => {
  let images: TestImages;
  let sandbox: Sandbox;
  let watch: ProcessWatch;
  let one: TestImage;
  let two: TestImage;
  const outcomes: Outcome[] = [];

  beforeAll(async () => {
    images = await TestImages.start({ login: true });
    [one, two] = [await images.fake("1"), await images.fake("2")];
    sandbox = await Sandbox.create();
    const version = (tag: string) => `  "${tag}": { install: { image: { reference: "berth/fake:${tag}" } } }`;
    const backend = [
      "schemaVersion: 1",
      "name: boxed",
      "runCommand: serve",
      "versions:",
      version("1"),
      version("2"),
      "",
    ];
    sandbox.write(join("backends", "boxed.yaml"), backend.join("\n"));
    await sandbox.pulumi(["config", "set", "--secret", "berth:hub-password", registryPassword, "--stack", "test"]);
    // What the test itself gives to `pulumi config set` does not count.
    watch = new ProcessWatch([registryPassword, auth]);
  });
  afterAll(async () => {
    watch.stop();
    await sandbox.dispose();
    await images.close();
  });

  /** Docker Hub has a mirror, which asks for a login. */
  function want(versions: readonly string[], more = ""): void {
    const { host } = images.registry;
    const entries = versions.map((tag) => `  v${tag}: { backend: boxed, backendVersion: "${tag}" }`);
    const lines = [
      "schemaVersion: 1",
      `hosts: { local: { connection: local, dataDir: host${more} } }`,
      `mirrors: { registries: { docker.io: "${host}" } }`,
      `registryLogins: { "${host}": { username: ${registryUser}, password: { secret: hub-password } } }`,
      ...(entries.length === 0 ? [] : ["preload:", ...entries]),
    ];
    sandbox.writeStack(`${lines.join("\n")}\n`);
  }

  async function up(): Promise<Outcome> {
    const outcome = await sandbox.up();
    outcomes.push(outcome);
    return outcome;
  }

  async function assertUp(): Promise<void> {
    const { exitCode, output } = await up();
    expect(exitCode, output).toBe(0);
  }

  async function has({ pinned }: TestImage): Promise<boolean> {
    return (await execa("docker", ["image", "inspect", pinned], { reject: false })).exitCode === 0;
  }

  async function drop({ pinned }: TestImage): Promise<void> {
    await execa("docker", ["rmi", pinned]);
  }

  it("are locked by their tags' digests, and pulled from the mirror with the stack's login", async () => {
    want(["1", "2"]);
    await assertUp();
    expect([await has(one), await has(two)]).toEqual([true, true]);
    const lock = readFileSync(sandbox.path("stacks", "test.lock.yaml"), "utf8");
    expect(lock).toContain(one.digest);
    expect(lock).toContain("linux/");
    expect(lock).toContain("password: hub-password");
    expect(sandbox.resources("BackendVersion").map(({ outputs }) => outputs.installation)).toEqual([
      expect.stringMatching(/^sha256:/),
      expect.stringMatching(/^sha256:/),
    ]);
  });

  it("that are removed by hand are drift, and come back", async () => {
    await drop(one);
    expect(await sandbox.refreshDrift()).toContain(`the container engine does not have berth/fake@${one.digest}`);
    await assertUp();
    expect(await has(one)).toBe(true);
  });

  it("are not pulled to a host that pulls none: what is missing is told at once, with what brings it there", async () => {
    await drop(one);
    await drop(two);
    want(["1", "2"], ", images: neverPull");
    const { exitCode, output } = await up();
    expect(exitCode).not.toBe(0);
    for (const { digest } of [one, two]) expect(output).toContain(digest);
    expect(output).toContain("docker load --input images.tar");
    expect([await has(one), await has(two)]).toEqual([false, false]);

    for (const [tag, image] of Object.entries({ "1": one, "2": two }))
      await images.load(await images.buildFake(tag), image.reference);
    await assertUp();
    want(["1", "2"]);
    await assertUp();
  });

  it("go with the last who wants them", async () => {
    for (const { reference } of [one, two]) await execa("docker", ["rmi", reference]);
    await assertUp();
    expect(await has(one)).toBe(true);
    want([]);
    await assertUp();
    expect([await has(one), await has(two)]).toEqual([false, false]);
  });

  it("are pulled without the password in output, state, lock, logs, data directory or arguments", async () => {
    outcomes.push(await sandbox.pulumi(["stack", "export", "--stack", "test"]));
    expect([...watch.found]).toEqual([]);
    expect(watch.hasSeen("pulumi"), "the watch").toBe(true);
    const folders = [
      sandbox.path(".berth", "state"),
      sandbox.path(".berth", "logs"),
      sandbox.path("stacks"),
      sandbox.dataDir,
    ];
    const texts = [...outcomes.map(({ output }) => output), ...folders.flatMap(textsBelow)];
    expect(texts.length).toBeGreaterThan(outcomes.length + 5);
    for (const canary of [registryPassword, auth]) {
      expect(texts.filter((text) => text.includes(canary))).toEqual([]);
    }
  });
});

function textsBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));
}
