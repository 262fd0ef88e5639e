import { describe, expect, it } from "vitest";

import { readDockerVersion, readPodmanVersion } from "../../../src/host/container-engine.js";

describe("docker version", () => {
  it("tells the engine's version and interface", () => {
    const text = JSON.stringify({
      Client: { Version: "27.5.1", ApiVersion: "1.47" },
      Server: { Platform: { Name: "Docker Engine" }, Version: "26.1.5", ApiVersion: "1.45" },
    });
    expect(readDockerVersion(text)).toEqual({ engine: "docker", version: "26.1.5", apiVersion: "1.45" });
  });

  it("tells Podman where Podman answers to the name", () => {
    const text = JSON.stringify({
      Client: { Version: "5.2.2" },
      Server: { Components: [{ Name: "Podman Engine", Version: "5.2.2" }], Version: "5.2.2", ApiVersion: "1.41" },
    });
    expect(readDockerVersion(text)).toEqual({ engine: "podman", version: "5.2.2", apiVersion: "1.41" });
  });

  it.each(["", "{}", '{"Client":{"Version":"27.5.1"},"Server":null}', '{"Server":{"Version":""}}', "{", "[1]"])(
    "tells of no engine with %j",
    (text) => {
      expect(readDockerVersion(text)).toBeUndefined();
    },
  );
});

describe("podman version", () => {
  it.each([
    ['{"Client":{"APIVersion":"5.2.2","Version":"5.2.2"}}', "5.2.2"],
    ['{"Client":{"Version":"5.2.2"},"Server":{"Version":"5.1.0"}}', "5.1.0"],
  ])("of %s is %s", (text, version) => {
    expect(readPodmanVersion(text)).toMatchObject({ engine: "podman", version });
  });

  it.each(["", "{}", "podman version 3.4.4"])("tells of no engine with %j", (text) => {
    expect(readPodmanVersion(text)).toBeUndefined();
  });
});
