import { describe, expect, it } from "vitest";

import { containerSettings } from "../../../src/schema/container.js";
import { backendContainer, deploymentContainer, lockedContainer } from "../../../src/schema/container-options.js";
import { parseYaml } from "../../../src/schema/document.js";
import { stackFile } from "../../../src/schema/stack.js";
import { thrownBy } from "../support/thrown.js";

const stack = (container: string) => `schemaVersion: 1
hosts: { local: { connection: local } }
deployments:
  chat:
    backend: engine
    model: { source: file, path: /m.gguf, sha256: ${"a".repeat(64)} }
    container: ${container}
`;
const problemsOf = (container: string) => {
  const error = thrownBy(() => parseYaml(stack(container), "a.yaml", stackFile));
  return error.message.replaceAll("deployments.chat.container", "container").split("\n");
};

describe("what a person says of a deployment's container", () => {
  it("may be all of this", () => {
    const container = "{ shmSize: 16GiB, memory: 64GiB, cpus: 1.5, user: '1000:1000', capAdd: [SYS_NICE] }";
    expect(parseYaml(stack(container), "a.yaml", stackFile).deployments.chat?.container).toEqual({
      ...{ shmSize: "16GiB", memory: "64GiB", cpus: 1.5, user: "1000:1000", capAdd: ["SYS_NICE"] },
    });
  });

  it.each([
    ["{ memory: 64 }", 'expected a size with its unit, such as "10GiB"; got 64'],
    ["{ memory: 64G }", 'expected a size above 0 with its unit, such as "512MiB", "10GiB" or "1.5TB"; got "64G"'],
    ["{ memory: 5MiB }", 'expected at least 6MiB; got "5MiB"'],
    ["{ logs: { maxSize: 1B } }", 'expected at least 1KiB; got "1B"'],
    ["{ shmSize: 0GiB }", 'expected a size above 0 with its unit, such as "512MiB", "10GiB" or "1.5TB"; got "0GiB"'],
    ["{ ulimits: { stack: much } }", "expected a size with its unit, such as"],
    ["{ cpus: 0 }", "expected number to be >=0.01; got 0"],
    ["{ user: root me }", 'expected a user, or a user and a group, such as "1000:1000"; got "root me"'],
    ["{ capAdd: [ALL] }", 'expected a capability, such as SYS_PTRACE; got "ALL"'],
    ["{ capAdd: [CAP_SYS_NICE] }", "expected a capability, such as SYS_PTRACE"],
    ["{ privileged: { why: because } }", 'unknown key "privileged"'],
    ["{ mounts: [] }", 'unknown key "mounts"'],
  ])("is told once what is wrong with %s", (container, problem) => {
    const problems = problemsOf(container);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });
});

describe("what a backend's file says of a container", () => {
  it("may be a place for the engine's cache, and privileges with a reason", () => {
    const said = { cachePath: "/root/.cache", privileged: { why: "the driver has no device files" }, shmSize: "1GiB" };
    expect(backendContainer.parse(said)).toEqual(said);
    for (const wrong of [{ cachePath: "cache" }, { privileged: {} }, { privileged: true }, { memory: "1GiB" }])
      expect(backendContainer.safeParse(wrong).success).toBe(false);
  });
});

describe("what a lock holds of a container", () => {
  it("has a place in the container's settings, all but the path that a folder of the host is given", () => {
    const places = Object.keys(containerSettings.shape);
    expect(Object.keys(lockedContainer.shape).filter((key) => !places.includes(key))).toEqual(["cachePath"]);
  });

  it("is everything that somebody can say, in its own units, but the networks, which an environment has of its own", () => {
    const said = new Set([...Object.keys(deploymentContainer.shape), ...Object.keys(backendContainer.shape)]);
    const inBytes: Readonly<Record<string, string>> = { shmSize: "shmBytes", memory: "memoryBytes" };
    said.delete("networks");
    expect([...said].map((key) => inBytes[key] ?? key).sort()).toEqual(Object.keys(lockedContainer.shape).sort());
  });
});
