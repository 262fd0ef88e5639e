import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { HostLeases } from "../../src/host/lease.js";
import { LocalHost } from "../../src/host/local.js";
import { systemClock } from "../../src/lib/clock.js";
import { silentLog } from "../../src/lib/log.js";
import { ResourceHandler, type Handler } from "../../src/pulumi/handler.js";
import { PartialFailure } from "../../src/pulumi/partial-failure.js";
import type { Properties } from "../../src/pulumi/properties.js";
import { Contexts } from "../../src/resources/context.js";
import { instanceKind } from "../../src/resources/instance.js";
import { writeEntry } from "../../src/host/journal.js";
import { instanceKey } from "../../src/host/claims.js";
import { askDocker, containersOf, inspectContainer, recreateContainer } from "../support/docker-api.js";
import { freePort } from "../support/sandbox.js";
import { TestImages, whyNoTestImages, type TestImage } from "../support/test-image.js";
import { instanceOf } from "../unit/support/instances.js";
import { facts } from "../unit/support/problems.js";
import { rejectionOf } from "../unit/support/thrown.js";

const missing = await whyNoTestImages();
const isLeftOut = missing !== undefined && process.env.BERTH_TEST_ALL !== "1";

/** A provider process of its own, on this machine. */
function handlerOf(folder: string): Handler {
  const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: folder });
  let ids = 0;
  const newId = () => `${folder}-${(ids += 1)}`;
  const contexts = new Contexts({
    openHost: () => host,
    content: {
      backendFile: () => Promise.reject(new Error("no backend files here")),
      pythonTool: () => Promise.reject(new Error("no tools here")),
    },
    ...{ clock: systemClock, signal: new AbortController().signal, log: silentLog, newId },
  });
  const leases = new HostLeases({
    ...{ machine: "here", process: "1", clock: systemClock, newId, waitSeconds: 10 },
    isAlive: () => Promise.resolve(true),
    onWait: () => undefined,
  });
  return new ResourceHandler(instanceKind, {
    leases,
    context: (inputs, redact) => ({ ...contexts.of(inputs.host, redact), facts: () => Promise.resolve(facts) }),
    assertWanted: () => Promise.resolve(),
    say: () => undefined,
  });
}

describe.skipIf(isLeftOut)(
  `what a creation meets on a real engine${isLeftOut ? ` (left out: ${missing})` : ""}`,
  () => {
    let images: TestImages;
    let image: TestImage;
    let imageId: string;
    let dataDir: string;
    let port: number;

    beforeAll(async () => {
      images = await TestImages.start();
      image = await images.fake("adopted");
      await images.pull(image);
      ({ Id: imageId } = await askDocker<{ Id: string }>("GET", `/images/${encodeURIComponent(image.pinned)}/json`));
    });
    afterAll(() => images.close());
    beforeEach(async () => {
      dataDir = await realpath(await mkdtemp(join(tmpdir(), "berth-adopt-")));
      await writeFile(join(dataDir, "model.gguf"), "a model");
      port = await freePort();
    });
    afterEach(async () => {
      for (const { Id, Labels } of await everyContainer())
        if (Labels["test.data-dir"] === dataDir || Labels["berth.data-dir"] === dataDir)
          await askDocker("DELETE", `/containers/${Id}?force=true`);
      await rm(dataDir, { recursive: true });
    });

    const everyContainer = () =>
      askDocker<{ Id: string; Labels: Record<string, string> }[]>("GET", "/containers/json?all=true");

    function inputs(adopt?: string, text = "five", more: readonly string[] = []): Properties {
      const parsed = instanceOf({
        host: { name: "local", connection: "local", dataDir },
        ...{ runtime: "docker", installation: imageId, modelPath: join(dataDir, "model.gguf"), port, secretEnv: {} },
        ...{ minHealthySeconds: 0, healthyDeadlineSeconds: 4, stopSeconds: 2, apiKeyVariable: undefined },
        argv: ["--model", join(dataDir, "model.gguf"), "--alias", "chat", "--port", "8000", "--text", text, ...more],
        container: {
          ...{ image: image.pinned, containerPort: 8000 },
          mounts: [{ source: join(dataDir, "model.gguf"), target: join(dataDir, "model.gguf") }],
        } as never,
      });
      return { ...parsed, ...(adopt === undefined ? {} : { adopt }), __provider: "shim" };
    }

    const create = (...wanted: Parameters<typeof inputs>) => handlerOf(dataDir).create(inputs(...wanted));

    /** The state is lost: what ran goes on running, and the journal has it as a state once had it. */
    async function createAndLose(text = "five"): Promise<string> {
      const handler = handlerOf(dataDir);
      const { id, outs } = await handler.create(inputs(undefined, text));
      await handler.read(id, outs);
      return only();
    }

    async function only(): Promise<string> {
      const [found, ...others] = await containersOf(dataDir);
      expect(others).toEqual([]);
      return found?.Id ?? "";
    }

    async function answer(): Promise<string> {
      const response = await fetch(`http://127.0.0.1:${port}/v1/completions`, { method: "POST", body: "{}" });
      const { choices } = (await response.json()) as { choices: { text: string }[] };
      return choices[0]?.text ?? "";
    }

    /** Puts a container of somebody else's in the runner's place, with the same name and port. */
    async function putForeign(text: string, owner?: string): Promise<string> {
      const id = await createAndLose();
      const { Name } = await inspectContainer(id);
      await recreateContainer(id, (body) => {
        const labels = owner === undefined ? {} : { ...body.Labels, "berth.owner": owner };
        body.Labels = { ...labels, "test.data-dir": dataDir };
        body.Cmd = body.Cmd.map((word) => (word === "five" ? text : word));
      });
      return (await inspectContainer(Name.slice(1))).Id;
    }

    it.each([undefined, "never", "ifLabelled", "always"])("nothing: it is made (%s)", async (adopt) => {
      await create(adopt);
      expect(await answer()).toBe("five");
    });

    it.each([undefined, "ifLabelled", "always"])("its own, as wanted: goes on as it was (%s)", async (adopt) => {
      const before = await inspectContainer(await createAndLose());
      const { outs } = await create(adopt);
      expect(outs.drift).toEqual([]);
      const after = await inspectContainer(await only());
      expect([after.Id, after.State]).toEqual([before.Id, before.State]);
    });

    it.each([undefined, "ifLabelled", "always"])(
      "its own, otherwise: is changed as by an update (%s)",
      async (adopt) => {
        const before = await createAndLose("four");
        await create(adopt);
        expect(await answer()).toBe("five");
        expect(await only()).not.toBe(before);
      },
    );

    it("its own, otherwise, when the new one is never healthy: goes on serving", async () => {
      const before = await createAndLose("four");
      await expect(create("ifLabelled", "five", ["--never-healthy"])).rejects.toBeInstanceOf(PartialFailure);
      expect(await answer()).toBe("four");
      expect(await only()).toBe(before);
    });

    it.each(["five", "four"])("its own (%s), with never: is told and stays", async (text) => {
      const before = await inspectContainer(await createAndLose(text));
      const error = await rejectionOf(create("never"));
      expect(error).toMatchObject({ code: "adoption-refused" });
      expect(String(error)).toContain("shop/dev, chat-0");
      expect(String(error)).toContain("adopt: ifLabelled");
      expect((await inspectContainer(await only())).State).toEqual(before.State);
    });

    it("what an interrupted creation left, with never: is its own", async () => {
      const before = await createAndLose();
      await writeEntry(new LocalHost("local", { PATH: "/usr/bin:/bin", HOME: dataDir }), dataDir, {
        ...{ schemaVersion: 1, ...instanceKey({ owner: "shop/dev", instance: "chat-0" }) },
        ...{ identity: "a run before", recorded: false, open: { operation: "create", step: "start", number: 3 } },
      });
      await create("never");
      expect(await only()).toBe(before);
    });

    const foreign: [string, string, string | undefined][] = [
      ["without labels, as wanted", "five", undefined],
      ["without labels, otherwise", "four", undefined],
      ["of another owner, as wanted", "five", "shop/other"],
      ["of another owner, otherwise", "four", "shop/other"],
    ];
    const refusing = foreign.flatMap(([...each]) =>
      (["never", "ifLabelled"] as const).map((adopt) => [adopt, ...each] as const),
    );

    it.each(refusing)("with %s somebody else's, %s: is told and stays", async (adopt, _, text, owner) => {
      const id = await putForeign(text, owner);
      const error = await rejectionOf(create(adopt));
      expect(error).toMatchObject({ code: "host-foreign" });
      const { Name, Id, State } = await inspectContainer(id);
      expect(String(error)).toContain(owner ?? "without a label of Berth's");
      expect(String(error)).toContain(`docker rm --force ${Name.slice(1)}`);
      expect(Id).toBe(id);
      expect(State.Pid).toBeGreaterThan(0);
      expect(await answer()).toBe(text);
    });

    it.each(foreign)("with always somebody else's, %s: is replaced", async (_, text, owner) => {
      const id = await putForeign(text, owner);
      await create("always");
      expect(await answer()).toBe("five");
      const left = (await everyContainer()).filter(({ Labels }) => Labels["test.data-dir"] === dataDir);
      expect(left).toEqual([]);
      expect((await only()) === id).toBe(false);
    });

    it("with always somebody else's: is given its place back, and runs, when the new one is never healthy", async () => {
      const id = await putForeign("four");
      // The same generation: its definition is as it was, and what it runs is not.
      await writeFile(join(dataDir, "model.gguf"), "fail: never-healthy");
      const { Name } = await inspectContainer(id);
      await expect(create("always")).rejects.toBeInstanceOf(PartialFailure);
      const after = await inspectContainer(id);
      expect(after.Name).toBe(Name);
      expect(after.State.Pid).toBeGreaterThan(0);
      expect(await containersOf(dataDir)).toEqual([]);
    });
  },
);
