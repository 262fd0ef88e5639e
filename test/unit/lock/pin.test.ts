import { describe, expect, it } from "vitest";

import { draftRelease, finishRelease } from "../../../src/catalog/release.js";
import { sha256 } from "../../../src/lib/canonical.js";
import { BerthError } from "../../../src/lib/errors.js";
import type { ImageAnswer } from "../../../src/lock/image-digest.js";
import type { LookUps } from "../../../src/lock/look-ups.js";
import { pinInstall } from "../../../src/lock/pin.js";
import type { LockRequest } from "../../../src/lock/python-lock-request.js";
import type { ReleaseRequest } from "../../../src/lock/release-file.js";
import type { LockedDeployment } from "../../../src/schema/lock.js";
import type { StackFile } from "../../../src/schema/stack.js";
import { catalogueOf, engineBackend } from "../support/catalogues.js";
import { fakeEdges, resolvedBy } from "../support/edges.js";
import { platform } from "../support/problems.js";
import { rejectionOf } from "../support/thrown.js";

type Versions = Exclude<NonNullable<Parameters<typeof engineBackend>[0]>["versions"], undefined>;

const url = "https://github.com/team/engine/releases/download/v1/engine.tar.gz";
const model = { from: { source: "file" as const, path: "/m.gguf" }, file: "m.gguf", sha256: "a".repeat(64) };

interface Circumstances {
  mirrors?: StackFile["mirrors"];
  /** What another deployment was locked with before. */
  before?: LockedDeployment;
  /** The files that are there, by SHA-256. Default: all that were resolved before. */
  resolved?: Record<string, string>;
  answers?: Partial<LookUps>;
}

/** The install of a deployment of the backend's only version, and what was asked for it. */
async function pin(versions: Versions, { mirrors = {}, before, resolved, answers = {} }: Circumstances = {}) {
  const catalogue = catalogueOf([engineBackend({ defaultVersion: undefined, versions })], ["engine/2.0.txt"]);
  const deployment = { backend: "engine", contextLength: 4096, extraParameters: [], env: {} };
  const draft = draftRelease({ catalogue, deployment, model, platform, where: "deployment chat" });
  const edges = { ...fakeEdges(), ...answers };
  const previous = before === undefined ? {} : { other: before };
  const there = resolved ?? resolvedBy(previous);
  const pinned = await pinInstall({ catalogue, mirrors, previous, resolved: there }, draft, edges);
  return { ...pinned, asked: edges.asked, locked: finishRelease(draft, pinned.install) };
}

describe("packages that no file locks", () => {
  const versions: Versions = { "v1.0": { install: { pipx: { package: "engine" } } } };

  it("are locked, in a file of their own that the release names by its digest", async () => {
    const { install, file, asked } = await pin(versions, { mirrors: { pip: "https://packages.example.net/simple" } });
    expect(asked).toEqual(["requirements of engine 1.0 from https://packages.example.net/simple"]);
    const digest = sha256(file?.text ?? "");
    expect(file?.path).toBe(`requirements/engine_v1.0_${digest.slice(0, 12)}.txt`);
    expect(install).toMatchObject({ method: "pipx", requirements: { file: file?.path, sha256: digest } });
  });

  it("are in another file when the index has others: a lock never changes what another one names", async () => {
    const { file: dev } = await pin(versions);
    const { file: prod } = await pin(versions, { answers: { lockPackages: () => Promise.resolve("engine==1.0\n") } });
    expect(prod?.path).not.toBe(dev?.path);
  });

  it("stay as they were locked before, whatever the index has now", async () => {
    const { locked } = await pin(versions);
    const again = await pin(versions, { before: locked });
    expect([again.asked, again.file]).toEqual([[], undefined]);
    expect(again.install).toEqual(locked.install);
  });

  it("are locked anew for another version", async () => {
    const { locked } = await pin(versions);
    const { asked } = await pin({ "1.1": { install: { pipx: { package: "engine" } } } }, { before: locked });
    expect(asked).toEqual(["requirements of engine 1.1"]);
  });

  it.each([
    ["pins", { pins: ["tokens==2"] }],
    ["constraints", { constraints: ["tokens<3"] }],
    ["extras", { extras: ["audio"] }],
    ["Python versions", { python: ">=3.11" }],
    ["operating systems", { os: ["linux" as const] }],
    ["architectures", { arch: ["x64" as const] }],
    ["the package's version", { packageVersion: "1.0.1" }],
    ["the package", { package: "engine-cpu" }],
  ])("are locked anew when something else is asked for: %s", async (_, changes) => {
    const { locked } = await pin(versions);
    const { asked, warnings } = await pin(
      { "v1.0": { install: { pipx: { package: "engine", ...changes } } } },
      { before: locked },
    );
    expect(asked).toHaveLength(1);
    expect(warnings).toEqual([]);
  });

  it.each([
    ["its command", { command: "engine-server" }],
    ["the devices that it serves", { acceleratorTypes: ["cpu" as const, "cuda" as const] }],
  ])("stay when something else changes: %s", async (_, changes) => {
    const { locked } = await pin(versions);
    const { asked } = await pin(
      { "v1.0": { install: { pipx: { package: "engine", ...changes } } } },
      { before: locked, mirrors: { pip: "https://other.example.net/simple" } },
    );
    expect(asked).toEqual([]);
  });

  it.each([
    ["is missing", undefined],
    ["is not the file that was locked", "f".repeat(64)],
  ])("are locked anew, and so told, when their file %s", async (state, present) => {
    const { locked, file } = await pin(versions);
    const path = file?.path ?? "";
    const again = await pin(versions, { before: locked, resolved: present === undefined ? {} : { [path]: present } });
    expect(again.file).toEqual(file);
    expect(again.install).toEqual(locked.install);
    expect(again.warnings).toEqual([`stacks/${path} ${state}: what engine v1.0 needs was resolved anew`]);
  });
});

describe("a release's file that nothing pins", () => {
  const file = { os: "linux" as const, arch: "x64" as const, url, executable: "engine/serve" };
  const versions: Versions = {
    v1: { install: { binary: [file, { ...file, arch: "arm64", sha256: "b".repeat(64) }] } },
  };

  it("is read from the mirror for its digest and size; its own address is locked", async () => {
    const mirror = "http://mirror.example.net/tools";
    const { install, asked } = await pin(versions, { mirrors: { downloadBaseUrl: mirror } });
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
    const again = await pin(versions, { before: locked });
    expect([again.asked, again.install]).toEqual([[], locked.install]);
  });
});

describe("a release with files for several platforms", () => {
  const fileFor = (os: "linux" | "darwin" | "windows", arch: "x64" | "arm64" = "x64") => {
    return { os, arch, url: `https://files.example.net/engine-${os}-${arch}.tar.gz`, executable: "engine/serve" };
  };
  const whole: Versions = {
    v1: { install: { binary: [fileFor("linux"), fileFor("linux", "arm64"), fileFor("darwin"), fileFor("windows")] } },
  };
  const without =
    (missing: string, got: string): LookUps["fetchReleaseFile"] =>
    ({ url }) =>
      url.includes(missing)
        ? Promise.reject(new BerthError("download-failed", { where: url, what: "the server refused it", got }))
        : Promise.resolve({ sha256: sha256(url), sizeBytes: 7 });

  it("is locked for all that hosts can be, and no file for another system is fetched", async () => {
    const { asked, install } = await pin(whole);
    expect(asked.map((one) => one.replace(/^.*engine-(.*)\.tar\.gz$/, "$1"))).toEqual([
      "linux-x64",
      "linux-arm64",
      "darwin-x64",
    ]);
    expect(install).toMatchObject({ artifacts: [{ os: "linux" }, { os: "linux" }, { os: "darwin" }] });
  });

  it("is locked without what a mirror does not have, and so told", async () => {
    const { install, warnings } = await pin(whole, {
      answers: { fetchReleaseFile: without("darwin", "HTTP status 404") },
    });
    expect(install).toMatchObject({ artifacts: [{ arch: "x64" }, { arch: "arm64" }] });
    expect(warnings).toEqual([
      "left out, because the release does not have it: the file for darwin/x64, https://files.example.net/engine-darwin-x64.tar.gz",
    ]);
  });

  it.each([
    ["the deployment's own file is missing", without("linux-x64", "HTTP status 404")],
    ["a server is out of order, which may give another lock the next time", without("darwin", "HTTP status 503")],
  ])("is not locked when %s", async (_, fetchReleaseFile) => {
    await expect(pin(whole, { answers: { fetchReleaseFile } })).rejects.toMatchObject({ code: "download-failed" });
  });
});

it("packages are not asked for on systems that no host has", async () => {
  const requests: LockRequest[] = [];
  const lockPackages: LookUps["lockPackages"] = (request) => {
    requests.push(request);
    return Promise.resolve("engine==1.0\n");
  };
  const pipx = { package: "engine", os: ["linux" as const, "windows" as const], arch: ["x64" as const] };
  await pin({ "1.0": { install: { pipx } } }, { answers: { lockPackages } });
  expect(requests.map(({ platforms }) => platforms)).toEqual([[{ os: "linux", arch: "x64" }]]);
});

describe("an image whose digest nobody told", () => {
  const reference = "registry.example.net/team/engine:v1";
  const versions: Versions = { v1: { install: { image: { reference } } } };

  it("is asked for at the mirror of its registry, and locked by its public name", async () => {
    const mirrors = { registries: { "docker.io": "registry.example.net/hub" } };
    const own: Versions = { v1: { install: { image: { reference: "team/engine:v1" } } } };
    const { install, asked } = await pin(own, { mirrors });
    const place = "registry.example.net/hub/team/engine:v1";
    expect(asked).toEqual([place]);
    expect(install).toEqual({ method: "image", reference: "team/engine:v1", digest: `sha256:${sha256(place)}` });
  });

  const refusing = (answer: ImageAnswer) =>
    rejectionOf(pin(versions, { answers: { askImageDigest: () => Promise.resolve(answer) } }));

  it("is locked by the digest that the registry tells", async () => {
    const { install, asked } = await pin(versions);
    expect(install).toEqual({ method: "image", reference, digest: `sha256:${sha256(reference)}` });
    expect(asked).toEqual([reference]);
  });

  it("is what it was before, wherever its tag has moved", async () => {
    const { locked } = await pin(versions);
    const again = await pin(versions, { before: locked });
    expect([again.asked, again.install]).toEqual([[], locked.install]);
  });

  it("is an error when the registry does not have it", async () => {
    const error = await refusing({ kind: "unknown" });
    expect([error.code, error.parts.where]).toEqual(["download-failed", `engine v1: ${reference}`]);
    expect(error.message).toContain("the registry has no image of this name and tag");
  });

  it("is an error when the registry refuses, with its reason and what to do", async () => {
    const error = await refusing({ kind: "refused", reason: "HTTP status 401" });
    expect([error.code, error.parts.got]).toEqual(["download-failed", "HTTP status 401"]);
    expect(error.parts.hint).toContain(
      "as `digest` in the backend file, or in a deployment's `imageName`, as NAME@sha256:...",
    );
  });
});

describe("the size of a release's file", () => {
  const plain = { os: "linux" as const, arch: "x64" as const, url, unpackedBytes: 5000 };

  it("is bound by what the backend file says of it: its size, or the most that it may unpack to", async () => {
    const requests: ReleaseRequest[] = [];
    const fetchReleaseFile: LookUps["fetchReleaseFile"] = (request) => {
      requests.push(request);
      return Promise.resolve({ sha256: "c".repeat(64), sizeBytes: 7 });
    };
    await pin({ v1: { install: { binary: [plain] } } }, { answers: { fetchReleaseFile } });
    const packed = { ...plain, executable: "engine/serve", sizeBytes: 9 };
    await pin({ v1: { install: { binary: [packed] } } }, { answers: { fetchReleaseFile } });
    expect(requests).toEqual([
      { url, isArchive: false, maxBytes: 5000 },
      { url, isArchive: true, maxBytes: 9 },
    ]);
  });

  it("stays unknown where the lock before does not know it", async () => {
    const versions: Versions = { v1: { install: { binary: [plain] } } };
    const { locked } = await pin({ v1: { install: { binary: [{ ...plain, sha256: "c".repeat(64) }] } } });
    const { install } = await pin(versions, { before: locked });
    expect(install).toEqual(locked.install);
  });
});

describe("what the catalogue pins", () => {
  it("is asked of nobody", async () => {
    const pipx = { package: "engine", requirements: "engine/2.0.txt" };
    expect((await pin({ "2.0": { install: { pipx } } })).asked).toEqual([]);
    expect((await pin({ "2.0": { install: { manual: {} } } })).asked).toEqual([]);
    const image = { reference: "team/engine:v2", digest: `sha256:${"d".repeat(64)}` };
    expect(await pin({ "2.0": { install: { image } } })).toMatchObject({ asked: [], install: image });
  });
});
