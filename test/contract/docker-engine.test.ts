import { describe } from "vitest";

import { baseEnvironment } from "../../src/host/environment.js";
import { LocalHost } from "../../src/host/local.js";
import type { Program } from "../support/fake-engine-container.js";
import { FakeEngine } from "../support/fake-engine.js";
import { freePort } from "../support/sandbox.js";
import { whyNoDocker } from "../support/shell-image.js";
import { describeEngine, type EngineSetting } from "./container-engine.js";
import { dockerSetting } from "./docker-setting.js";

const reason = await whyNoDocker();
const isLeftOut = reason !== undefined && process.env.BERTH_TEST_ALL !== "1";

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
    makeNetwork: () => Promise.resolve(),
    freePort,
    dispose: () => Promise.resolve(),
  });
}

describeEngine("the fake Docker Engine of tests", fake);

describe.skipIf(isLeftOut)(`a real Docker Engine${isLeftOut ? ` (left out: ${reason})` : ""}`, () => {
  describeEngine("on this machine", () => dockerSetting(new LocalHost("local", baseEnvironment(process.env))));
});
