import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { writeRecord } from "../../../src/install/model-record.js";
import { surveyStore, type StoreQuestion } from "../../../src/install/store-survey.js";
import { BerthError } from "../../../src/lib/errors.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const digest = (letter: string) => letter.repeat(64);
const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/" });
const image = { reference: "team/engine:1", digest: `sha256:${digest("9")}` };

function ask(dataDir: string, more: Partial<StoreQuestion> = {}) {
  const engine = () => Promise.reject(new Error("no engine is to be asked"));
  return surveyStore({ host, dataDir, images: [], engine, ...more });
}

describe("what of downloads lies on a host", () => {
  it("is nothing before there is a data directory, and the room for it", async () => {
    const found = await ask(join(await temporaryFolder(), "later"));
    expect([found.files.size, found.begun.size, found.wheels.size, found.images.size]).toEqual([0, 0, 0, 0]);
    expect(found.disk.freeBytes).toBeGreaterThan(0);
    expect(found.measures).toEqual([]);
  });

  it("are archives and files of models by their SHA-256, whole ones and begun ones apart", async () => {
    const dataDir = await temporaryFolder();
    const cache = (...parts: string[]) => join(dataDir, "cache", ...parts);
    await host.writeFile(cache("archives", digest("a")), "12345");
    await host.writeFile(cache("archives", `${digest("b")}.part`), "12");
    await host.writeFile(cache("models", digest("c"), "model"), "123");
    await host.writeFile(cache("models", digest("d"), "model.part"), "1");
    const placed = join(dataDir, "models", digest("e"));
    await host.writeFile(join(placed, "sub", "weights"), "1234");
    const known = (sizeBytes: number, sha256: string) => ({ sizeBytes, sha256, changedAt: "0" });
    await writeRecord(host, placed, {
      ...{ schemaVersion: 2, id: "1", path: placed, source: "acme/tiny@0123456" },
      files: { "sub/weights": known(4, digest("1")), gone: known(9, digest("2")) },
    });
    const { files, begun } = await ask(dataDir);
    expect(Object.fromEntries(files)).toEqual({ [digest("a")]: 5, [digest("c")]: 3, [digest("1")]: 4 });
    expect(Object.fromEntries(begun)).toEqual({ [digest("b")]: 2, [digest("d")]: 1 });
  });

  it("are wheels that all are there, with their size", async () => {
    const dataDir = await temporaryFolder();
    const wheels = (...parts: string[]) => join(dataDir, "cache", "wheels", ...parts);
    for (const name of ["a-1-py3-none-any.whl", "b-1-py3-none-any.whl", "requirements.txt", "complete"])
      await host.writeFile(wheels(`${digest("a")}-cpython-311-linux-x86_64`, name), "123");
    await host.writeFile(wheels(`${digest("b")}-cpython-311-linux-x86_64`, "a-1-py3-none-any.whl"), "123");
    expect(Object.fromEntries((await ask(dataDir)).wheels)).toEqual({ [digest("a")]: 6 });
  });

  it("are images that the engine has by their digest; those of an engine that does not answer are not known", async () => {
    const dataDir = await temporaryFolder();
    const wanted = [{ image, from: image.reference }];
    const status = { id: "1", digests: [`mirror.example/engine@${image.digest}`], names: [], sizeBytes: 1 };
    const engine = (found: object | undefined) => () =>
      Promise.resolve({
        findImage: () => Promise.resolve(found),
        dataFolder: () => Promise.resolve(dataDir),
      } as unknown as Awaited<ReturnType<StoreQuestion["engine"]>>);
    const there = await ask(dataDir, { images: wanted, engine: engine(status) });
    expect([[...there.images], there.imageDisk]).toEqual([[image.digest], undefined]);
    expect((await ask(dataDir, { images: wanted, engine: engine(undefined) })).images.size).toBe(0);
    const lost = () => Promise.reject(new BerthError("docker-unreachable", { what: "it does not answer" }));
    expect((await ask(dataDir, { images: wanted, engine: lost })).images.size).toBe(0);
  });
});
