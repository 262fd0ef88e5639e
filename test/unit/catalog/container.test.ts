import { describe, expect, it } from "vitest";

import { lockContainer, type ContainerCase } from "../../../src/catalog/container.js";
import { placeLimits } from "../../../src/planner/container-limits.js";
import type { BackendContainer, DeploymentContainer } from "../../../src/schema/container-options.js";
import { thrownBy } from "../support/thrown.js";

const image: ContainerCase = { method: "image", tensorParallelSize: undefined, where: "deployment chat" };

function lock(
  said: { backend?: BackendContainer; version?: BackendContainer; deployment?: DeploymentContainer },
  asked: Partial<ContainerCase> = {},
) {
  const { backend, version, deployment } = said;
  const sayers = {
    backend: { container: backend },
    entry: { container: version },
    deployment: { container: deployment },
  };
  return lockContainer(sayers, { ...image, ...asked });
}

describe("what is said of a deployment's container", () => {
  it("is nothing where nobody says something, so that a lock stays as it was", () => {
    expect(lock({})).toEqual({});
    expect(lock({ backend: {}, version: {}, deployment: {} })).toEqual({});
  });

  it("counts field by field: the deployment's, else the version's, else the backend's", () => {
    const said = {
      backend: { shmSize: "1GiB", user: "1000", stopSignal: "SIGINT", cachePath: "/root/.cache" },
      version: { shmSize: "2GiB", user: "2000" },
      deployment: { shmSize: "3GiB" },
    };
    expect(lock(said)).toEqual({
      container: { shmBytes: 3 * 2 ** 30, user: "2000", stopSignal: "SIGINT", cachePath: "/root/.cache" },
    });
  });

  it("counts limit by limit too", () => {
    const said = {
      backend: { ulimits: { memlock: "unlimited", stack: "64MiB" } },
      version: { ulimits: { stack: "8MiB", nofile: 1024 } },
      deployment: { ulimits: { nofile: 65_536 } },
    };
    expect(lock(said)).toEqual({
      container: { ulimits: { memlock: "unlimited", stack: 8 * 2 ** 20, nofile: 65_536 } },
    });
  });

  it("has sizes in bytes, and no limits: those are of the environment", () => {
    expect(
      lock({ deployment: { memory: "1.5GB", logs: { maxSize: "1MB", files: 2 }, cpus: 1.5, shmSize: "1KiB" } }),
    ).toEqual({ container: { shmBytes: 1024 } });
    expect(placeLimits({ memory: "1.5GB", logs: { maxSize: "1MB", files: 2 }, cpus: 1.5, shmSize: "1KiB" })).toEqual({
      limits: { memoryBytes: 1_500_000_000, logs: { maxBytes: 1_000_000, files: 2 }, cpus: 1.5 },
    });
    expect(placeLimits({ shmSize: "1KiB" })).toEqual({});
  });

  it("holds for a backend's images alone, and its processes have none", () => {
    const privileged = { why: "the driver of its release has no device files" };
    expect(lock({ backend: { privileged } })).toEqual({ container: { privileged } });
    expect(lock({ backend: { privileged } }, { method: "pipx" })).toEqual({});
  });

  it("leaves out of the files what a privileged container or one with the host's memory has anyway", () => {
    const privileged = { why: "w" };
    expect(lock({ backend: { capAdd: ["SYS_NICE"] }, version: { privileged } })).toEqual({ container: { privileged } });
    expect(lock({ backend: { shmSize: "1GiB" }, deployment: { ipc: "host" } }, { tensorParallelSize: 2 })).toEqual({
      container: { ipc: "host" },
    });
  });

  it.each<[string, DeploymentContainer, Partial<ContainerCase>, string]>([
    ["for a process", { user: "1000" }, { method: "binary" }, "this one is a process"],
    ["empty, for a process", {}, { method: "manual" }, "this one is a process"],
    ["with the host's memory on one device", { ipc: "host" }, {}, "an engine on several devices"],
    ["with the host's memory on one device, as said", { ipc: "host" }, { tensorParallelSize: 1 }, "size 1"],
    ["with the host's memory and a size", { ipc: "host", shmSize: "1GiB" }, { tensorParallelSize: 2 }, "of its own"],
  ])("is refused %s", (_, deployment, asked, message) => {
    const error = thrownBy(() => lock({ deployment }, asked));
    expect(error).toMatchObject({ code: "stack-inconsistent", parts: { where: "deployment chat" } });
    expect(String(error)).toContain(message);
  });

  it("is refused with capabilities beside all of them", () => {
    const said = { backend: { privileged: { why: "w" } }, deployment: { capAdd: ["SYS_PTRACE"] } };
    expect(String(thrownBy(() => lock(said)))).toContain("has all capabilities");
  });
});
