import { describe, expect, it } from "vitest";

import { draftRelease, finishRelease } from "../../../src/catalog/release.js";
import { sha256 } from "../../../src/lib/canonical.js";
import type { LookUps } from "../../../src/lock/look-ups.js";
import { pinInstall } from "../../../src/lock/pin.js";
import type { LockedDeployment } from "../../../src/schema/lock.js";
import { catalogueOf, engineBackend } from "../support/catalogues.js";
import { fakeEdges } from "../support/edges.js";
import { platform } from "../support/problems.js";

type Versions = Exclude<NonNullable<Parameters<typeof engineBackend>[0]>["versions"], undefined>;

const url = "https://github.com/team/engine/releases/download/v1/engine.tar.gz";
const model = { from: { source: "file" as const, path: "/m.gguf" }, file: "m.gguf", sha256: "a".repeat(64) };

/** The install of a deployment of the backend's only version, and what was asked for it. */
async function pin(versions: Versions, mirrors = {}, before?: LockedDeployment, answers: Partial<LookUps> = {}) {
  const catalogue = catalogueOf([engineBackend({ defaultVersion: undefined, versions })], ["engine/2.0.txt"]);
  const deployment = { backend: "engine", contextLength: 4096, extraParameters: [], env: {} };
  const draft = draftRelease({ catalogue, deployment, model, platform, where: "deployment chat" });
  const edges = { ...fakeEdges(), ...answers };
  const previous = before === undefined ? {} : { other: before };
  const pinned = await pinInstall({ catalogue, mirrors, previous }, draft, edges);
  return { ...pinned, asked: edges.asked, locked: finishRelease(draft, pinned.install) };
}

describe("packages that no file locks", () => {
  const versions: Versions = { "v1.0": { install: { pipx: { package: "engine" } } } };

  it("are locked, in a file of their own that the release names by its digest", async () => {
    const { install, file, asked } = await pin(versions, { pip: "https://packages.example.net/simple" });
    expect(asked).toEqual(["requirements of engine 1.0 from https://packages.example.net/simple"]);
    const digest = sha256(file?.text ?? "");
    expect(file?.path).toBe(`requirements/engine_v1.0_${digest.slice(0, 12)}.txt`);
    expect(install).toMatchObject({ method: "pipx", requirements: { file: file?.path, sha256: digest } });
  });

  it("are in another file when the index has others: a lock never changes what another one names", async () => {
    const { file: dev } = await pin(versions);
    const { file: prod } = await pin(versions, {}, undefined, { lockPackages: () => Promise.resolve("engine==1.0\n") });
    expect(prod?.path).not.toBe(dev?.path);
  });

  it("stay as they were locked before, whatever the index has now", async () => {
    const { locked } = await pin(versions);
    const again = await pin(versions, {}, locked);
    expect([again.asked, again.file]).toEqual([[], undefined]);
    expect(again.install).toEqual(locked.install);
  });

  it("are locked anew for another version", async () => {
    const { locked } = await pin(versions);
    const { asked } = await pin({ "1.1": { install: { pipx: { package: "engine" } } } }, {}, locked);
    expect(asked).toEqual(["requirements of engine 1.1"]);
  });
});

describe("a release's file that nothing pins", () => {
  const file = { os: "linux" as const, arch: "x64" as const, url, executable: "engine/serve" };
  const versions: Versions = {
    v1: { install: { binary: [file, { ...file, arch: "arm64", sha256: "b".repeat(64) }] } },
  };

  it("is read from the mirror for its digest and size; its own address is locked", async () => {
    const mirror = "http://mirror.example.net/tools";
    const { install, asked } = await pin(versions, { downloadBaseUrl: mirror });
    const address = `${mirror}/team/engine/releases/download/v1/engine.tar.gz`;
    expect(asked).toEqual([address]);
    expect(install).toMatchObject({
      artifacts: [
        { arch: "x64", url, sha256: sha256(address), sizeBytes: address.length },
        { arch: "arm64", url, sha256: "b".repeat(64) },
      ],
    });
  });

  it("is what it was before: an address whose content changes is an error at `up`, not a new lock", async () => {
    const { locked } = await pin(versions);
    const again = await pin(versions, {}, locked);
    expect([again.asked, again.install]).toEqual([[], locked.install]);
  });
});

describe("what the catalogue pins", () => {
  it("is asked of nobody", async () => {
    const pipx = { package: "engine", requirements: "engine/2.0.txt" };
    expect((await pin({ "2.0": { install: { pipx } } })).asked).toEqual([]);
    expect((await pin({ "2.0": { install: { manual: {} } } })).asked).toEqual([]);
  });
});
