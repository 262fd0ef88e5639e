import { describe, expect, it } from "vitest";

import { BerthError } from "../../../src/lib/errors.js";
import { checkArtifacts, refuseFindings, type ArtifactEdges } from "../../../src/lock/artifact-check.js";
import type { LockedDeployment } from "../../../src/schema/lock.js";
import { thrownBy } from "../support/thrown.js";

const sha256 = "a".repeat(64);
const digest = `sha256:${sha256}`;
const other = `sha256:${"b".repeat(64)}`;
const commit = "c".repeat(40);

const image = { method: "image", reference: "docker.io/team/engine:v1", digest } as const;
const manual = { method: "manual" } as const;
const file = { from: { source: "file", path: "/m" }, file: "m", sha256 } as const;
const hub = {
  from: { source: "huggingface", repo: "o/m", revision: "main", commit, files: [] },
  file: ".",
  sha256,
} as const;

function releaseOf(changes: object): Record<string, LockedDeployment> {
  return { chat: { install: manual, model: file, ...changes } as unknown as LockedDeployment };
}

/** Edges for which everything is as it was locked. */
function edges(changes: Partial<ArtifactEdges> = {}): ArtifactEdges {
  return {
    askImageDigest: () => Promise.resolve({ kind: "found", digest }),
    askImagePresence: () => Promise.resolve({ kind: "there" }),
    askFilePresence: () => Promise.resolve({ kind: "there" }),
    findWheel: () => Promise.resolve({ sha256 }),
    openRepository: ({ revision }) =>
      Promise.resolve({ commit: revision === "main" ? commit : revision } as Awaited<
        ReturnType<ArtifactEdges["openRepository"]>
      >),
    ...changes,
  };
}

const check = (changes: object, edgesOf: ArtifactEdges = edges(), mirrors = {}) =>
  checkArtifacts({ release: releaseOf(changes), mirrors, tokenOf: () => undefined }, edgesOf);

const notFound = new BerthError("model-unavailable", { what: "the hub refused", got: "HTTP status 404" });
const binary = {
  method: "binary",
  artifacts: [{ os: "linux", arch: "x64", url: "https://x.test/a", sha256, unpackedBytes: 1 }],
};
const wheels = {
  from: { source: "wheels", wheels: [{ name: "m", version: "1", sha256 }], members: "*" },
  file: "m",
  sha256,
};

const kinds: [string, object, Partial<ArtifactEdges>, string, string][] = [
  [
    "an image whose digest has vanished",
    { install: image },
    { askImagePresence: () => Promise.resolve({ kind: "gone" }) },
    "artifact-gone",
    digest,
  ],
  [
    "a tag that was pushed again",
    { install: image },
    { askImageDigest: () => Promise.resolve({ kind: "found", digest: other }) },
    "artifact-moved",
    other,
  ],
  [
    "a registry that does not answer",
    { install: image },
    { askImagePresence: () => Promise.resolve({ kind: "unknown", reason: "ECONNREFUSED" }) },
    "artifact-unknown",
    "ECONNREFUSED",
  ],
  [
    "a file that is gone",
    { install: binary },
    { askFilePresence: () => Promise.resolve({ kind: "gone" }) },
    "artifact-gone",
    "https://x.test/a",
  ],
  [
    "a wheel of other bytes",
    { model: wheels },
    { findWheel: () => Promise.resolve({ sha256: "b".repeat(64) }) },
    "artifact-moved",
    "m 1 is another file",
  ],
  [
    "a commit that is gone",
    { model: hub },
    { openRepository: () => Promise.reject(notFound) },
    "artifact-gone",
    commit,
  ],
  [
    "a revision that was moved",
    { model: hub },
    {
      openRepository: ({ revision }) =>
        Promise.resolve({ commit: revision === "main" ? "d".repeat(40) : revision } as never),
    },
    "artifact-moved",
    "main is dddd",
  ],
];

describe("what a release pins", () => {
  it("is fine when all of it is where it was, under the name that it had", async () => {
    for (const changes of [
      { install: image, model: hub },
      { install: binary, model: wheels },
    ])
      expect(await check(changes)).toEqual([]);
  });

  it.each(kinds)("is refused: %s", async (_, changes, answers, code, told) => {
    const findings = await check(changes, edges(answers));
    const error = thrownBy(() => refuseFindings(findings, false));
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(told)]);
    if (code === "artifact-moved") expect(() => refuseFindings(findings, true)).not.toThrow();
    else expect(() => refuseFindings(findings, true)).toThrow();
  });

  it("is asked for where the environment gets it", async () => {
    const asked: string[] = [];
    const listening = edges({
      askImagePresence: (reference) => Promise.resolve((asked.push(reference), { kind: "there" } as const)),
      askFilePresence: (url) => Promise.resolve((asked.push(url), { kind: "there" } as const)),
    });
    await check({ install: image }, listening, { registries: { "docker.io": "mirror.test/hub" } });
    await check({ install: binary }, listening, { downloadBaseUrl: "https://files.test/tools" });
    expect(asked).toEqual(["mirror.test/hub/team/engine:v1", "https://files.test/tools/a"]);
  });
});
