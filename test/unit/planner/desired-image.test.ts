import { describe, expect, it } from "vitest";

import { imageOn, imageSettings, type ImageDecisions } from "../../../src/planner/desired-image.js";
import { desiredStack } from "../../../src/planner/desired.js";
import { place } from "../../../src/planner/placement.js";
import type { LockedDeployment, LockedInstall } from "../../../src/schema/lock.js";
import { chat, facts, problemOf, stackOf } from "../support/problems.js";

const hex = (letter: string) => `sha256:${letter.repeat(64)}`;
const image = (reference: string, letter: string) => ({ method: "image" as const, reference, digest: hex(letter) });
const engine = image("team/engine:1.0", "a");
const platforms = {
  "linux/amd64": { digest: hex("1"), id: hex("2") },
  "linux/arm64": { digest: hex("3"), id: hex("4") },
};

describe("an image on a host", () => {
  it("is known by the digests of the host's platform, by those of all where the host is not known", () => {
    const of = (arch: "x64" | "arm64") => imageOn({ ...engine, platforms }, { ...facts, arch }).ids;
    expect(of("x64")).toEqual([hex("1"), hex("2")]);
    expect(of("arm64")).toEqual([hex("3"), hex("4")]);
    expect(imageOn({ ...engine, platforms }, undefined).ids).toHaveLength(4);
    expect(imageOn(engine, facts)).toEqual(engine);
  });
});

const locked = (install: LockedInstall) => ({ install }) as LockedDeployment;

function decisions(placement: Partial<ImageDecisions["placement"]> = {}): ImageDecisions {
  const on = (deployment: string, host: string) => ({ deployment, host });
  return {
    release: {
      one: locked(engine),
      two: locked(image("team/other:2", "b")),
      same: locked(engine),
      plain: locked({ method: "manual" }),
    },
    preload: { ready: { engine: { backend: "e", backendVersion: "3", install: image("a/first:3", "c") } } },
    placement: {
      hosts: { here: {}, there: {} },
      instances: { "one-0": on("one", "here"), "same-0": on("same", "here"), "two-0": on("two", "there") },
      preload: { ready: { hosts: ["here"] } },
      ...placement,
    },
  };
}

describe("how an image gets to a host", () => {
  it("is by its own name and without a login, unless the stack says more", () => {
    expect(imageSettings(engine, "here", decisions())).toEqual({});
  });

  it("is from the mirror of its registry, with the mirror's login", () => {
    const registryLogins = {
      "docker.io": { username: "hub", password: "hub-secret" },
      "registry.example.net:5000": { username: "ann", password: "mirror-secret" },
    };
    const registries = { "docker.io": "registry.example.net:5000/hub" };
    expect(imageSettings(engine, "here", decisions({ registryLogins, registries }))).toEqual({
      pullFrom: "registry.example.net:5000/hub/team/engine:1.0",
      login: registryLogins["registry.example.net:5000"],
    });
    expect(imageSettings(engine, "here", decisions({ registryLogins }))).toEqual({
      login: registryLogins["docker.io"],
    });
  });

  it("is by hand where nothing is pulled: then all that the host needs is known, each image once", () => {
    const hosts = { here: { images: "neverPull" as const }, there: {} };
    const { neverPull } = imageSettings(engine, "here", decisions({ hosts }));
    expect(neverPull?.map(({ reference }) => reference)).toEqual(["a/first:3", "team/engine:1.0"]);
    expect(imageSettings(engine, "there", decisions({ hosts }))).toEqual({});
  });
});

describe("desiredStack with images", () => {
  it("has each image of a backend version for itself", () => {
    const stack = stackOf({ one: chat(), two: chat() });
    const { release, ...problem } = problemOf(stack);
    const placement = place({ release, ...problem });
    const own = Object.entries(release).map(([name, one], index) => {
      return [name, { ...one, install: { ...engine, digest: hex(String(index)) } }] as const;
    });
    const { backendVersions, instances } = desiredStack({ release: Object.fromEntries(own), placement }, "/project");
    expect(backendVersions.map(({ name }) => name)).toEqual([
      "local.engine_2.0.000000000000",
      "local.engine_2.0.111111111111",
    ]);
    expect(instances.map(({ backendVersion }) => backendVersion)).toEqual(backendVersions.map(({ name }) => name));
    expect(instances.map(({ artifactSha256 }) => artifactSha256)).toEqual(["0".repeat(64), "1".repeat(64)]);
  });
});
