import { execa } from "execa";
import { describe } from "vitest";

import { baseEnvironment } from "../../src/host/environment.js";
import { LocalHost } from "../../src/host/local.js";
import { defaultDockerPace, type DockerPace } from "../../src/runtime/docker-api.js";
import { createContainerEngine } from "../../src/runtime/docker-engine.js";
import type { Program } from "../support/fake-engine-container.js";
import { FakeEngine } from "../support/fake-engine.js";
import { ImageRegistry, registryPassword, registryUser } from "../support/image-registry.js";
import { freePort } from "../support/sandbox.js";
import { importShellImage, pushImage, whyNoDocker } from "../support/shell-image.js";
import { describeEngine, type EngineSetting } from "./container-engine.js";

const reason = await whyNoDocker();
const isLeftOut = reason !== undefined && process.env.BERTH_TEST_ALL !== "1";

const pace: DockerPace = { ...defaultDockerPace, firstWaitSeconds: 0.1, pullRetries: 1, pullWaitSeconds: 0.1 };
const shell = (script: string) => ["/bin/sh", "-c", script];

async function make(): Promise<EngineSetting> {
  const [image, pushed] = [await importShellImage(), await importShellImage()];
  const registry = await ImageRegistry.start();
  const digest = await pushImage(registry, pushed, "team/shell");
  await execa("docker", ["rmi", pushed]);
  return {
    engine: createContainerEngine(new LocalHost("local", baseEnvironment(process.env)), pace),
    image,
    programs: {
      idle: shell("trap 'exit 0' TERM INT; sleep 1000 & wait"),
      stubborn: shell("trap '' TERM; sleep 1000"),
      talk: shell("echo out 1; echo err 1 >&2; echo out 2; echo err 2 >&2; echo out 3; exit 3"),
      absent: ["/bin/none"],
    },
    pullable: {
      reference: `${registry.host}/team/shell@${digest}`,
      login: { username: registryUser, password: registryPassword },
    },
    kill: (pid) => process.kill(pid, "SIGKILL"),
    freePort,
    async dispose() {
      await execa("docker", ["rmi", "--force", image], { reject: false });
      await registry.close();
    },
  };
}

function fake(): Promise<EngineSetting> {
  const login = { username: "ann", password: "canary-fake-1f" };
  const reference = `registry.example.net/team/shell@sha256:${"d".repeat(64)}`;
  const programs: Record<string, Program> = {
    idle: { kind: "idle" },
    stubborn: { kind: "stubborn" },
    talk: { kind: "ends", exitCode: 3, output: ["out 1", "err 1", "out 2", "err 2", "out 3"] },
    absent: { kind: "absent" },
  };
  const behave = (body: object) =>
    programs[(body as { readonly Cmd?: readonly string[] }).Cmd?.[0] ?? ""] ?? { kind: "idle" };
  const engine = new FakeEngine({ registry: { [reference]: login }, behave });
  engine.addImage("shell:1");
  return Promise.resolve({
    engine,
    image: "shell:1",
    programs: { idle: ["idle"], stubborn: ["stubborn"], talk: ["talk"], absent: ["absent"] },
    pullable: { reference, login },
    kill: (pid) => engine.kill(pid),
    freePort,
    dispose: () => Promise.resolve(),
  });
}

describeEngine("the fake Docker Engine of tests", fake);

describe.skipIf(isLeftOut)(`a real Docker Engine${isLeftOut ? ` (left out: ${reason})` : ""}`, () => {
  describeEngine("on this machine", make);
});
