import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { findPinnedImage, pinnedName, pullImage, removeNames, verifyImage } from "../../../src/install/image.js";
import type { ContainerEngine, PullOptions } from "../../../src/runtime/container-engine.js";
import { containerBody } from "../../../src/runtime/container-body.js";
import { specOf } from "../support/container-specs.js";
import type { FileStatus } from "../../../src/host/host.js";
import { MemoryHost } from "../support/memory-host.js";
import { FakeEngine } from "../../support/fake-engine.js";
import { rejectionOf } from "../support/thrown.js";

const digest = `sha256:${"a".repeat(64)}`;
const configuration = `sha256:${"b".repeat(64)}`;
const other = `sha256:${"d".repeat(64)}`;
const image = { reference: "team/engine:1.0", digest };
const from = "registry.example.net/hub/team/engine:1.0";

describe("the name of a pinned image", () => {
  it.each([
    ["team/engine:1.0", `team/engine@${digest}`],
    ["team/engine", `team/engine@${digest}`],
    ["registry.example.net:5000/team/engine:1.0", `registry.example.net:5000/team/engine@${digest}`],
    ["registry.example.net:5000/engine", `registry.example.net:5000/engine@${digest}`],
  ])("of %s is %s: a digest alone says which image it is", (reference, name) => {
    expect(pinnedName(reference, digest)).toBe(name);
  });
});

describe("an image that the engine has", () => {
  const has = async (id: string, names: string[], ids?: string[]) => {
    const engine = new FakeEngine();
    for (const name of names.length === 0 ? [id] : names) engine.addImage(name, id);
    return (await findPinnedImage(engine, { ...image, ids }, [pinnedName(from, digest)]))?.id;
  };

  it("is found by its public name, and by that at its mirror", async () => {
    expect(await has(configuration, [pinnedName("team/engine", digest)])).toBe(configuration);
    expect(await has(configuration, [pinnedName(from, digest)])).toBe(configuration);
  });

  it("is found by the digest of its configuration when it was loaded from an archive", async () => {
    expect(await has(configuration, [], [configuration])).toBe(configuration);
    expect(await has(configuration, [])).toBeUndefined();
  });

  it("is found by its digest in an engine that keeps images by it, whatever they are called", async () => {
    expect(await has(digest, [])).toBe(digest);
  });

  it("is not one of the same name with another digest", async () => {
    expect(await has(configuration, [`team/engine@${other}`, `registry.example.net/hub/team/engine@${other}`])).toBe(
      undefined,
    );
  });

  it("is never one whose digests are others, whatever an engine answers", async () => {
    const hex = fc.stringMatching(/^[0-9a-f]{64}$/).map((text) => `sha256:${text}`);
    await fc.assert(
      fc.asyncProperty(hex, fc.array(hex), async (id, digests) => {
        const answer = { id, digests: digests.map((one) => `team/engine@${one}`), sizeBytes: 1, environment: [] };
        const engine = { findImage: () => Promise.resolve(answer) };
        const isIt = [id, ...digests].some((one) => one === digest || one === configuration);
        const found = await findPinnedImage(engine, { ...image, ids: [configuration] });
        expect(found !== undefined).toBe(isIt);
      }),
    );
  });
});

describe("pulling an image", () => {
  const where = "host local: engine 1.0";
  const request = { host: new MemoryHost(), where, image, from, findLogin: () => Promise.resolve(undefined) };
  const dataFolder = () => Promise.resolve(undefined);
  const login = { username: "ann", password: "canary-pull-5e1" };

  it("asks for the digest at the mirror, with the login of the mirror", async () => {
    const engine = new FakeEngine({ registry: { [pinnedName(from, digest)]: login } });
    await expect(pullImage(engine, request)).rejects.toMatchObject({ code: "image-unavailable" });
    const asked: string[] = [];
    const findLogin = (registry: string) => {
      asked.push(registry);
      return Promise.resolve(login);
    };
    await pullImage(engine, { ...request, findLogin });
    expect(asked).toEqual(["registry.example.net"]);
    await verifyImage(engine, request);
  });

  it("asks Docker Hub's login by the name docker.io", async () => {
    const asked: string[] = [];
    const findLogin = (registry: string) => {
      asked.push(registry);
      return Promise.resolve(undefined);
    };
    for (const name of ["team/engine:1.0", "engine:1.0", "docker.io/team/engine:1.0"])
      await pullImage({ pull: () => Promise.resolve(), dataFolder }, { ...request, from: name, findLogin });
    expect(asked).toEqual(["docker.io", "docker.io", "docker.io"]);
  });

  it("tells a part of its progress, and the end of it", async () => {
    const told: number[] = [];
    const engine: Pick<ContainerEngine, "pull" | "dataFolder"> = { pull, dataFolder };
    function pull(_: string, options?: PullOptions) {
      for (let bytes = 0; bytes <= 100_000; bytes += 1)
        options?.onProgress?.({ layers: 1, doneLayers: bytes === 100_000 ? 1 : 0, bytes, totalBytes: 100_000 });
      return Promise.resolve();
    }
    await pullImage(engine, { ...request, onProgress: ({ bytes }) => told.push(bytes) });
    expect(told.length).toBeLessThan(105);
    expect(told.at(0)).toBe(0);
    expect(told.at(-1)).toBe(100_000);
  });

  describe("with so much room on the engine's disk", () => {
    const total = { layers: 2, doneLayers: 0, bytes: 0, totalBytes: 3_000_000 };

    /** Whether the engine was told to give it up when it had told of its layers. */
    async function pullInto(freeBytes: number, dataFolder: string | undefined, folder = dataFolder): Promise<unknown> {
      const status = (path: string) => Promise.resolve(path === folder ? ({ size: 1 } as FileStatus) : undefined);
      const host = { name: "local", freeBytes: () => Promise.resolve(freeBytes), status };
      const pull = (_: string, { onProgress, signal }: PullOptions = {}) => {
        onProgress?.(total);
        return signal?.aborted === true ? Promise.reject(signal.reason as Error) : Promise.resolve();
      };
      const engine = { pull, dataFolder: () => Promise.resolve(dataFolder) };
      return pullImage(engine, { ...request, host }).then(() => "pulled");
    }

    it("goes on when its layers fit", async () => {
      expect(await pullInto(3_000_000, "/engine")).toBe("pulled");
    });

    it("is given up when they do not, with what is free and needed", async () => {
      const error = await rejectionOf(pullInto(2_999_999, "/engine"));
      expect(error).toMatchObject({ code: "disk-full", parts: { where: "host local: /engine" } });
      expect(String(error)).toMatch(/got: .*free\n {2}expected: .* for what is missing of registry\.example\.net/);
    });

    it.each([
      ["does not tell where its images are", undefined, "/engine"],
      ["has them elsewhere than on the host", "/engine", "/other"],
    ])("goes on when the engine %s", async (_, dataFolder, folder) => {
      expect(await pullInto(0, dataFolder, folder)).toBe("pulled");
    });
  });

  it("is not believed when the engine does not have the digest afterwards", async () => {
    const error = await rejectionOf(verifyImage(new FakeEngine(), request));
    expect(error).toMatchObject({ code: "checksum-mismatch", parts: { expected: digest } });
  });
});

describe("taking an image's names away", () => {
  it("leaves one that a container was made of, and says which; others go", async () => {
    const engine = new FakeEngine();
    const used = engine.addImage(`used@${digest}`);
    engine.addImage(`free@${other}`);
    await engine.createContainer("somebody", { ...containerBody(specOf()), Image: used.id });
    expect(await removeNames(engine, [`used@${digest}`, `free@${other}`, `gone@${other}`])).toEqual([
      { name: `used@${digest}`, because: "container somebody was made of it" },
    ]);
    expect(await engine.findImage(`used@${digest}`)).toBeDefined();
    expect(await engine.findImage(`free@${other}`)).toBeUndefined();
  });
});
