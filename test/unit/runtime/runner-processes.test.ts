import { describe, expect, it } from "vitest";

import { findRunners } from "../../../src/runtime/runner-processes.js";
import { execFile } from "../../../src/runtime/runner-files.js";
import { instanceFolder } from "../../../src/resources/instance-files.js";
import { containerBody } from "../../../src/runtime/container-body.js";
import { BerthError } from "../../../src/lib/errors.js";
import { FakeEngine } from "../../support/fake-engine.js";
import { settingsOf, specOf } from "../support/container-specs.js";
import { MemoryHost } from "../support/memory-host.js";

const owner = "shop/dev";
const none = () => Promise.resolve(undefined);

class Machine extends MemoryHost {
  override findProcesses(args: readonly string[]): Promise<number[]> {
    return Promise.resolve(args.includes("--chat") ? [77] : []);
  }
}

/** Runners in the folders that instances have: one whose process runs, and one whose process is another's by now. */
async function machine(): Promise<Machine> {
  const host = new Machine();
  for (const [instance, pid] of [
    ["chat-0", "77"],
    ["other-0", "78"],
  ] as const) {
    const folder = `${instanceFolder("/data", owner, instance)}/0123456789ab`;
    const argv = ["/bin/engine", `--${instance.slice(0, -2)}`];
    await host.writeFile(`${folder}/exec.json`, execFile({ argv, environment: {}, folder }));
    await host.writeFile(`${folder}/pid`, pid);
  }
  await host.writeFile(`${instanceFolder("/data", owner, "empty-0")}/record.json`, "{}");
  return host;
}

describe("the runners of a data directory", () => {
  it("are those whose recorded process runs with the runner's very arguments", async () => {
    expect(await findRunners(await machine(), "/data", none)).toEqual(new Map([[77, "chat-0"]]));
  });

  it("are none where there are no instances", async () => {
    expect(await findRunners(await machine(), "/nowhere", none)).toEqual(new Map());
  });

  it("are the first processes of its containers too, and of no others", async () => {
    const engine = new FakeEngine();
    const image = `engine@sha256:${"a".repeat(64)}`;
    engine.addImage(image);
    const start = async (name: string, dataDir: string, port: number) => {
      const place = { owner, deployment: "chat", host: "box", dataDir };
      const identity = { ...place, instance: name, generation: "0123456789ab" };
      const body = containerBody(specOf({ identity, port, settings: settingsOf({ image }) }));
      const id = await engine.createContainer(name, body);
      await engine.startContainer(id);
      return (await engine.inspectContainer(id))?.pid ?? 0;
    };
    const pid = await start("chat-1", "/data", 14_001);
    await start("chat-2", "/other", 14_002);
    const found = await findRunners(await machine(), "/data", () => Promise.resolve(engine));
    expect(found).toEqual(new Map([[77, "chat-0"], [pid, "chat-1"]])); // prettier-ignore
  });

  it("are those that are processes where the engine does not answer", async () => {
    const away = new BerthError("docker-unreachable", { what: "it does not answer" });
    expect(await findRunners(await machine(), "/data", () => Promise.reject(away))).toEqual(new Map([[77, "chat-0"]]));
  });
});
