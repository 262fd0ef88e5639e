import { describe, expect, it } from "vitest";

import { lockContainer } from "../../../src/catalog/container.js";
import { desiredStack } from "../../../src/planner/desired.js";
import { place } from "../../../src/planner/placement.js";
import { containerBody } from "../../../src/runtime/container-body.js";
import type { BackendContainer, DeploymentContainer } from "../../../src/schema/container-options.js";
import { chat, knownHost, problemOf, stackOf } from "../support/problems.js";
import { specOf } from "../support/container-specs.js";

const hosts = { local: { connection: "local", networks: { front: {} } } } as const;
const facts = { containerEngine: { engine: "docker", version: "27.5.1", apiVersion: "1.47" } } as const;
const install = { method: "image", reference: "ghcr.io/team/engine:v1", digest: `sha256:${"a".repeat(64)}` } as const;

interface Said {
  readonly deployment?: DeploymentContainer;
  readonly backend?: BackendContainer;
}

/** From what a stack and a backend's file say to the body that the engine is given. */
function bodyOf({ deployment = {}, backend = {} }: Said, tensorParallelSize = 2): string {
  const asked = { method: "image", tensorParallelSize, where: "deployment chat" };
  const locked = lockContainer(
    { backend: { container: backend }, entry: {}, deployment: { container: deployment } },
    asked,
  );
  const stack = stackOf({ chat: chat({ container: deployment }) }, { hosts });
  const known = { local: knownHost("/srv/local", { facts }) };
  const { release, ...rest } = problemOf(stackOf({ chat: chat() }, { hosts }), { hosts: known });
  if (release.chat === undefined) throw new Error("the problem has a deployment");
  const problem = { ...rest, stack, release: { chat: { ...release.chat, install, ...locked } } };
  const [instance] = desiredStack({ release: problem.release, placement: place(problem) }, "/").instances;
  if (instance?.container === undefined) throw new Error("the problem has a container");
  return JSON.stringify(containerBody(specOf({ settings: instance.container })));
}

/** One of each field: a new one that is not here does not compile. */
const ofDeployment: Required<DeploymentContainer> = {
  shmSize: "1GiB",
  ulimits: { nofile: 1024 },
  user: "1000",
  stopSignal: "SIGINT",
  capAdd: ["SYS_NICE"],
  memory: "8GiB",
  cpus: 2,
  ipc: "host",
  logs: { files: 7 },
  networks: ["front"],
};
const ofBackend: Required<BackendContainer> = {
  shmSize: "1GiB",
  ulimits: { nofile: 1024 },
  user: "1000",
  stopSignal: "SIGINT",
  capAdd: ["SYS_NICE"],
  cachePath: "/root/.cache",
  privileged: { why: "no device files of its own" },
};

describe("what is said of a container", () => {
  const plain = bodyOf({});

  it.each(Object.keys(ofDeployment))("by a deployment reaches the engine: %s", (field) => {
    const deployment = { [field]: ofDeployment[field as keyof DeploymentContainer] };
    expect(bodyOf({ deployment })).not.toBe(plain);
  });

  it.each(Object.keys(ofBackend))("by a backend's file reaches the engine: %s", (field) => {
    const backend = { [field]: ofBackend[field as keyof BackendContainer] };
    expect(bodyOf({ backend })).not.toBe(plain);
  });

  it("never makes it privileged, nor gives it the host's memory, unless that is said", () => {
    const { privileged: _, ...harmless } = ofBackend;
    const { ipc: _ipc, ...own } = ofDeployment;
    expect(bodyOf({ backend: harmless, deployment: own })).toMatch(/"IpcMode":"private".*"Privileged":false/);
    expect(bodyOf({ backend: { privileged: ofBackend.privileged } })).toContain('"Privileged":true');
    expect(() => bodyOf({ deployment: { ipc: "host" } }, 1)).toThrow("only for an engine on several devices");
  });
});
