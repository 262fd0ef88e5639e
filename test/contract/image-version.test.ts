import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { LocalHost } from "../../src/host/local.js";
import { sha256 } from "../../src/lib/canonical.js";
import { askImagePlatforms } from "../../src/lock/image-digest.js";
import { backendVersionInputs, type BackendVersionInputs } from "../../src/resources/backend-version-inputs.js";
import { backendVersionKind } from "../../src/resources/backend-version.js";
import { defaultDockerPace } from "../../src/runtime/docker-api.js";
import { createContainerEngine } from "../../src/runtime/docker-engine.js";
import { registryPassword, registryUser } from "../support/image-registry.js";
import { TestImages, whyNoTestImages, type TestImage } from "../support/test-image.js";
import { contextOf, operationOf } from "../unit/support/contexts.js";
import { facts } from "../unit/support/problems.js";
import { rejectionOf } from "../unit/support/thrown.js";

const missing = await whyNoTestImages();
const isLeftOut = missing !== undefined && process.env.BERTH_TEST_ALL !== "1";
const title = (text: string) => `${text}${isLeftOut ? ` (left out: ${missing})` : ""}`;

const pace = { ...defaultDockerPace, firstWaitSeconds: 0.1, pullRetries: 1, pullWaitSeconds: 0.1 };
const pulling = ["pull the image", "verify"];

/** A host with a home and a data directory of its own, on this machine's engine. */
class Setting {
  private constructor(
    readonly folder: string,
    readonly images: TestImages,
  ) {}

  static async start(images: Promise<TestImages>): Promise<Setting> {
    return new Setting(await realpath(await mkdtemp(join(tmpdir(), "berth-host-"))), await images);
  }

  version({ reference, digest }: Pick<TestImage, "reference" | "digest">, more: Partial<BackendVersionInputs> = {}) {
    const { folder } = this;
    const reach = { name: "local", connection: "local" as const, dataDir: join(folder, "data") };
    const host = new LocalHost("local", { PATH: `${folder}:${process.env.PATH ?? ""}`, HOME: folder });
    const engine = createContainerEngine(host, pace);
    const said: unknown[] = [];
    const context = {
      ...contextOf(host),
      reference: reach,
      facts: () => Promise.resolve({ ...facts, home: folder }),
      containerEngine: () => Promise.resolve(engine),
      log: (event: unknown) => said.push(event),
    };
    const common = { name: "local.fake_1", owner: "shop/dev", host: reach, backend: "fake", version: "1" };
    const inputs = backendVersionInputs.parse({ ...common, method: "image", reference, digest, ...more });
    const { operation, steps } = operationOf();
    return {
      said,
      async converge(): Promise<string[]> {
        steps.length = 0;
        await backendVersionKind.converge(context, operation, inputs);
        return steps;
      },
      observe: () => backendVersionKind.observe(context, inputs, undefined),
      remove: () => backendVersionKind.remove(context, operation, { ...common, uses: backendVersionKind.uses(inputs) }),
    };
  }

  async dispose(): Promise<void> {
    try {
      await this.images.close();
    } finally {
      await rm(this.folder, { recursive: true, force: true });
    }
  }
}

async function inspect(name: string): Promise<{ Id: string; RepoDigests: string[] } | undefined> {
  const { exitCode, stdout } = await execa("docker", ["image", "inspect", name], { reject: false });
  return exitCode === 0 ? (JSON.parse(stdout) as [{ Id: string; RepoDigests: string[] }])[0] : undefined;
}

describe.skipIf(isLeftOut)(title("an image of a real registry, as a backend version"), () => {
  let setting: Setting;
  beforeAll(async () => {
    setting = await Setting.start(TestImages.start());
  });
  afterAll(() => setting.dispose());

  it("is pulled by its digest, mended when it is gone, and taken away", async () => {
    const image = await setting.images.fake("life");
    const version = setting.version(image);
    expect((await version.observe()).drift).toEqual([expect.stringContaining(image.pinned)]);
    expect(await version.converge()).toEqual(pulling);
    const found = await inspect(image.pinned);
    expect(found?.RepoDigests).toEqual([image.pinned]);
    expect(await version.observe()).toEqual({ executable: "", installation: found?.Id, drift: [] });
    expect(await version.converge()).toEqual([]);
    expect(version.said).toContainEqual(expect.objectContaining({ kind: "progress", text: "fake 1" }));

    await execa("docker", ["rmi", image.pinned]);
    expect((await version.observe()).drift).toHaveLength(1);
    expect(await version.converge()).toEqual(pulling);
    await version.remove();
    expect(await inspect(image.pinned)).toBeUndefined();
  });

  it("from a mirror is known by its public name too, also after the mirror has moved", async () => {
    const { digest, reference: pullFrom, pinned } = await setting.images.fake("mirrored");
    const publicName = { reference: "team/fake:1", digest };
    expect(await setting.version(publicName, { pullFrom }).converge()).toEqual(pulling);
    expect((await setting.version(publicName).observe()).drift).toEqual([]);
    await setting.version(publicName).remove();
    expect(await inspect(pinned)).toBeUndefined();
  });

  it("of several platforms is this machine's, by the id that the lock knows it by", async () => {
    const { registry } = setting.images;
    const image = await setting.images.buildFake("index");
    const foreign = { ...image, config: image.config.replace(/"architecture":"\w+"/, '"architecture":"s390x"') };
    const own = process.arch === "arm64" ? ("linux/arm64" as const) : ("linux/amd64" as const);
    const { digest } = await registry.pushIndex("berth/several", "1", { "linux/s390x": foreign, [own]: image });
    const reference = `${registry.host}/berth/several:1`;
    const platforms = await askImagePlatforms(reference, digest);
    const version = setting.version({ reference, digest });
    await version.converge();
    const { installation } = await version.observe();
    expect(installation).toBe(platforms?.[own]?.id);
    expect(installation).toBe(`sha256:${sha256(image.config)}`);
    await version.remove();
  });

  it("stays while a container was made of it, also one that does not run", async () => {
    const image = await setting.images.fake("used");
    const version = setting.version(image);
    await version.converge();
    const { stdout: container } = await execa("docker", ["create", image.pinned]);
    await version.remove();
    expect(version.said.at(-1)).toMatchObject({
      kind: "warning",
      text: expect.stringContaining(image.pinned) as string,
    });
    expect(await inspect(image.pinned)).toBeDefined();
    await execa("docker", ["rm", container]);
  });

  it("that the registry does not have is told by its name", async () => {
    const image = await setting.images.fake("gone");
    const digest = `sha256:${"0".repeat(64)}`;
    const error = await rejectionOf(setting.version({ ...image, digest }).converge());
    expect(error).toMatchObject({ code: "image-unavailable" });
    expect(String(error)).toContain(digest);
  });

  it("is not pulled where nothing is, and taken when it was loaded from an archive", async () => {
    const built = await setting.images.buildFake("carried");
    const image = await setting.images.push("carried", "1", built);
    const ids = [`sha256:${sha256(built.config)}`];
    const other = await setting.images.fake("other");
    const wanted = { reference: image.reference, digest: image.digest, ids };
    const version = setting.version(image, {
      ids,
      neverPull: [wanted, { reference: other.reference, digest: other.digest }],
    });
    const error = await rejectionOf(version.converge());
    expect(error).toMatchObject({ code: "host-unsuitable" });
    for (const { reference } of [image, other]) expect(String(error)).toContain(reference);
    expect(String(error)).toContain("docker load");

    await setting.images.load(built, image.reference);
    expect(await version.converge()).toEqual([]);
    expect(await version.observe()).toMatchObject({ installation: ids[0], drift: [] });
    await version.remove();
    expect(await inspect(image.reference)).toBeDefined();
  });
});

describe.skipIf(isLeftOut)(title("an image of a real registry that asks for a login"), () => {
  const auth = Buffer.from(`${registryUser}:${registryPassword}`).toString("base64");
  const wrong = "canary-wrong-77b2";
  const canaries = [registryPassword, auth, wrong];
  let setting: Setting;
  beforeAll(async () => {
    setting = await Setting.start(TestImages.start({ login: true }));
    await mkdir(join(setting.folder, ".docker"));
  });
  afterAll(() => setting.dispose());

  async function logIn(config: object): Promise<void> {
    await writeFile(join(setting.folder, ".docker", "config.json"), JSON.stringify(config));
  }

  async function pullAndRemove(image: TestImage, more: Partial<BackendVersionInputs> = {}): Promise<string> {
    const version = setting.version(image, more);
    expect(await version.converge()).toEqual(pulling);
    const observed = await version.observe();
    const { stdout: written } = await execa("grep", ["-r", "", join(setting.folder, "data")]);
    expect(written).toContain(image.pinned);
    await version.remove();
    return `${JSON.stringify([version.said, observed])}${written}`;
  }

  it("is refused without one, and with a wrong one, which no error tells", async () => {
    const image = await setting.images.fake("refused");
    await logIn({});
    for (const more of [{}, { registryUser, registryPassword: wrong }]) {
      const version = setting.version(image, more);
      const error = await rejectionOf(version.converge());
      expect(error).toMatchObject({ code: "image-unavailable" });
      expect(String(error)).toContain("registryLogins");
      for (const canary of canaries) expect(`${String(error)}${JSON.stringify(version.said)}`).not.toContain(canary);
    }
  });

  it("is pulled with what docker login left on the host, and with the stack's login before that", async () => {
    const image = await setting.images.fake("written");
    await logIn({ auths: { [setting.images.registry.host]: { auth } } });
    const said = [await pullAndRemove(image)];
    const bad = Buffer.from(`${registryUser}:${wrong}`).toString("base64");
    await logIn({ auths: { [setting.images.registry.host]: { auth: bad } } });
    said.push(await pullAndRemove(image, { registryUser, registryPassword }));
    for (const canary of canaries) expect(said.join()).not.toContain(canary);
  });

  it("is pulled with the login of the host's helper; no list of processes shows it", async () => {
    const image = await setting.images.fake("helped");
    const { host } = setting.images.registry;
    await logIn({ credHelpers: { [host]: "canary" } });
    const answer = JSON.stringify({ ServerURL: "", Username: registryUser, Secret: registryPassword });
    const script = `#!/bin/sh\ncat > "${setting.folder}/asked"\nps -eo args > "${setting.folder}/processes"\necho '${answer}'\n`;
    await writeFile(join(setting.folder, "docker-credential-canary"), script, { mode: 0o755 });
    const said = await pullAndRemove(image);
    expect(await readFile(join(setting.folder, "asked"), "utf8")).toBe(host);
    const processes = await readFile(join(setting.folder, "processes"), "utf8");
    expect(processes).toContain("docker-credential-canary");
    for (const canary of canaries) expect(`${said}${processes}`).not.toContain(canary);
  });
});
