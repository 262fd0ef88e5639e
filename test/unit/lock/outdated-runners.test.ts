import { describe, expect, it } from "vitest";

import type { ImageAnswer } from "../../../src/lock/image-digest.js";
import { reportRunner, runnersOfCatalogue, runnersOfLock } from "../../../src/lock/outdated-runners.js";
import { buildLock } from "../../../src/lock/build.js";
import type { KnownHost } from "../../../src/planner/host-choice.js";
import { catalogueOf, engineBackend } from "../support/catalogues.js";
import { fakeEdges } from "../support/edges.js";
import { chat, stackOf } from "../support/problems.js";
import { cudaHost, cudaRunners } from "../support/runners.js";

type Images = Parameters<typeof cudaRunners>[0];

const locked: Images = { "12.6": ["1.0"] };
const found = (digest: string): ImageAnswer => ({ kind: "found", digest });
const other = `sha256:${"e".repeat(64)}`;

/** The image of a lock of a time when the catalogue had that one alone. */
async function pinned(host: KnownHost = cudaHost("12.8")) {
  const install = { runnerImage: { service: "engine" } };
  const backend = engineBackend({ defaultVersion: "1.0", versions: { "1.0": { install } } });
  const stack = stackOf({ chat: chat(), again: chat() }, { preload: { next: { backend: "engine" } } });
  const problem = { owner: "shop/dev", stack, written: stack, previous: undefined, resolved: {} };
  const edges = { ...fakeEdges(), knowHost: () => Promise.resolve(host) };
  const catalogue = { ...catalogueOf([backend], []), runners: cudaRunners(locked) };
  const { lock } = await buildLock({ ...problem, catalogue }, edges);
  const [image, ...others] = runnersOfLock(lock);
  if (image === undefined || others.length > 0) throw new Error("expected one image");
  return image;
}

async function findings(images: Images, answer?: (digest: string) => ImageAnswer, host?: KnownHost) {
  const image = await pinned(host);
  const report = reportRunner(image, answer?.(image.digest), cudaRunners(images));
  return report.findings.map((finding) => {
    if (finding.kind !== "newer") return finding;
    return `${finding.name}: ${finding.reference.replace(/.*:/, "")}${finding.isSameService ? " (same version)" : ""}`;
  });
}

describe("the runner images of a lock", () => {
  it("are each told once, with all who have them", async () => {
    const { reference, users } = await pinned();
    expect(reference).toBe("gpustack/runner:cuda12.6-engine1.0");
    expect(users.map(({ part, name }) => [part, name])).toEqual([
      ["deployment", "chat"],
      ["deployment", "again"],
      ["preload", "next"],
    ]);
  });

  it("are not outdated while the tag has the digest and there is no newer one", async () => {
    expect(await findings(locked, found)).toEqual([]);
    expect(await findings(locked)).toEqual([]);
  });

  it("are outdated by what their registry tells", async () => {
    expect(await findings(locked, () => found(other))).toEqual([{ kind: "moved", by: "registry", digest: other }]);
    expect(await findings(locked, () => ({ kind: "unknown" }))).toEqual([{ kind: "gone", from: "registry" }]);
  });

  it("are outdated by what the catalogue tells, whose digest counts where no registry was asked", async () => {
    const known: Images = { "12.6": [{ version: "1.0", digest: other }] };
    expect(await findings(known)).toEqual([{ kind: "moved", by: "catalogue", digest: other }]);
    expect(await findings(known, found)).toEqual([]);
    expect(await findings({ "12.6": [{ version: "1.0", deprecated: true }] }, found)).toEqual([{ kind: "deprecated" }]);
    expect(await findings({ "12.4": ["0.9"] }, found)).toEqual([{ kind: "gone", from: "catalogue" }]);
  });

  it("are outdated when they were polished, unless a registry tells that the digest is the present one", async () => {
    const polished: Images = { "12.6": [{ version: "1.0", polished: true }] };
    expect(await findings(polished)).toEqual([{ kind: "polished" }]);
    expect(await findings(polished, found)).toEqual([]);
  });

  it("have newer ones: of the same version, and of the newest that all hosts can run", async () => {
    const newer: Images = { "12.9": ["3.0"], "12.8": ["2.0", "1.0"], "12.6": ["1.0"] };
    expect(await findings(newer, found)).toEqual(
      ["chat", "again", "next"].flatMap((name) => [
        `${name}: cuda12.8-engine1.0 (same version)`,
        `${name}: cuda12.8-engine2.0`,
      ]),
    );
    expect(await findings(newer, found, cudaHost("12.6"))).toEqual([]);
  });

  it("have newer ones outside of what the stack asks for, which a lock alone does not take", async () => {
    const catalogue = cudaRunners({ "12.8": ["2.0", "1.0"], "12.6": ["1.0"] });
    const image = await pinned();
    const [user] = image.users;
    if (user === undefined) throw new Error("expected a user");
    const asked = { acceleratorVersion: "12.6", allowRc: false };
    const report = reportRunner({ ...image, users: [{ ...user, asked }] }, undefined, catalogue);
    expect(report.findings).toMatchObject([
      { kind: "newer", serviceVersion: "2.0", acceleratorVersion: "12.8", isOutsideAsked: true },
    ]);
  });

  it("have no newer ones that are candidates or deprecated", async () => {
    const newer: Images = {
      "12.8": [
        { version: "3.0", rc: true },
        { version: "2.0", deprecated: true },
      ],
      "12.6": ["1.0"],
    };
    expect(await findings(newer, found)).toEqual([]);
  });

  it("are not known to be outdated where their registry does not answer", async () => {
    const report = reportRunner(await pinned(), { kind: "refused", reason: "HTTP status 503" }, cudaRunners(locked));
    expect(report).toMatchObject({ findings: [], untold: "HTTP status 503" });
  });
});

describe("the runner images of the catalogue", () => {
  it("are those whose digests are known, and are outdated when their tags have moved alone", () => {
    const digest = `sha256:${"d".repeat(64)}`;
    const catalogue = cudaRunners({ "12.8": [{ version: "2.0", digest, deprecated: true }, "1.0"] });
    const [image, ...others] = runnersOfCatalogue(catalogue);
    expect(others).toEqual([]);
    if (image === undefined) throw new Error("expected one");
    expect(image).toEqual({ reference: "gpustack/runner:cuda12.8-engine2.0", digest, users: [] });
    expect(reportRunner(image, found(digest), catalogue).findings).toEqual([]);
    expect(reportRunner(image, found(other), catalogue).findings).toMatchObject([{ kind: "moved", by: "registry" }]);
  });
});
