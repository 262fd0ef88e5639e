import { describe, expect, it } from "vitest";

import type { EngineStage } from "./container-engine.js";

const patience = { timeout: 20_000, interval: 100 };

export function describeContainers(stageOf: () => EngineStage): void {
  describe("containers", () => {
    it("are made and do not run, and tell how they were made", async () => {
      const stage = stageOf();
      const Labels = { "berth.awkward": `ž "=' ,\n{}` };
      const Env = ["EMPTY=", "AWKWARD=a b'\"$HOME ž\n\\"];
      const HostConfig = { RestartPolicy: { Name: "unless-stopped", MaximumRetryCount: 0 }, ShmSize: 2 ** 26 };
      const body = stage.body("idle", { Labels, Env, HostConfig, StopSignal: "SIGINT" });
      const id = await stage.engine.createContainer(stage.name("made"), body);
      const image = await stage.engine.findImage(stage.setting.image);
      const found = await stage.engine.inspectContainer(id);
      expect(found).toMatchObject({
        id,
        name: stage.name("made"),
        state: "created",
        pid: 0,
        startedAt: "",
        restarts: 0,
      });
      expect(found?.imageId).toBe(image?.id);
      expect(found?.body).toMatchObject({ ...body, Env: expect.arrayContaining(Env) as string[] });
      expect(await stage.engine.inspectContainer(stage.name("made"))).toEqual(found);
    });

    it("run when they are started, once however often", async () => {
      const stage = stageOf();
      const id = await stage.run("runs", "idle");
      const first = await stage.engine.inspectContainer(id);
      expect(first).toMatchObject({ state: "running", exitCode: 0, outOfMemory: false, error: "" });
      expect(first?.pid).toBeGreaterThan(0);
      expect(Date.parse(first?.startedAt ?? "")).not.toBeNaN();
      await stage.engine.startContainer(id);
      expect(await stage.engine.inspectContainer(id)).toEqual(first);
    });

    it("end when they are stopped, stay there, and can be started again", async () => {
      const stage = stageOf();
      const id = await stage.run("stops", "idle");
      await stage.engine.stopContainer(id, 20);
      expect(await stage.engine.inspectContainer(id)).toMatchObject({ state: "exited", pid: 0, exitCode: 0 });
      await stage.engine.stopContainer(id, 20);
      await stage.engine.startContainer(id);
      expect(await stage.state(id)).toBe("running");
    });

    it("are killed when they do not end in time", async () => {
      const stage = stageOf();
      const id = await stage.run("stubborn", "stubborn");
      await stage.engine.stopContainer(id, 1);
      expect(await stage.engine.inspectContainer(id)).toMatchObject({ state: "exited", exitCode: 137 });
    });

    it("are removed, running or not, and a second time changes nothing", async () => {
      const stage = stageOf();
      const made = await stage.engine.createContainer(stage.name("made"), stage.body("idle"));
      const running = await stage.run("running", "idle");
      for (const id of [made, running]) {
        await stage.engine.removeContainer(id);
        expect(await stage.engine.inspectContainer(id)).toBeUndefined();
        await stage.engine.removeContainer(id);
      }
      await stage.run("twice", "idle");
      await Promise.all([1, 2, 3].map(() => stage.engine.removeContainer(stage.name("twice"))));
      expect(await stage.state(stage.name("twice"))).toBe("absent");
    });

    it("that are not there cannot be started, stopped or read", async () => {
      const { engine } = stageOf();
      const absent = "berth-test-none";
      const refused = { code: "docker-refused" };
      await expect(engine.startContainer(absent)).rejects.toMatchObject(refused);
      await expect(engine.stopContainer(absent, 1)).rejects.toMatchObject(refused);
      await expect(engine.readOutput(absent, 1)).rejects.toMatchObject(refused);
    });

    it("are not made with a name that is taken, which stays as it was", async () => {
      const stage = stageOf();
      const id = await stage.run("taken", "idle");
      const again = stage.engine.createContainer(stage.name("taken"), stage.body("stubborn"));
      await expect(again).rejects.toMatchObject({ code: "host-foreign" });
      expect(await stage.engine.inspectContainer(stage.name("taken"))).toMatchObject({ id, state: "running" });
    });

    it("are not made with a name that engines do not take", async () => {
      const { engine, ...stage } = stageOf();
      for (const name of ["a@b", "a+b", "a/b", ".a"])
        await expect(
          engine.createContainer(name, stageOf().body("idle")),
          `${name} ${stage.mark}`,
        ).rejects.toMatchObject({ code: "docker-refused" });
    });

    it("get another name and run on, but for a name that is taken", async () => {
      const stage = stageOf();
      const id = await stage.run("before", "idle");
      await stage.run("other", "idle");
      for (const again of [1, 2]) {
        await stage.engine.renameContainer(id, stage.name("after"));
        const found = await stage.engine.inspectContainer(stage.name("after"));
        expect({ again, ...found }).toMatchObject({ again, id, state: "running" });
      }
      expect(await stage.state(stage.name("before"))).toBe("absent");
      await expect(stage.engine.renameContainer(id, stage.name("other"))).rejects.toMatchObject({
        code: "host-foreign",
      });
      await expect(stage.engine.renameContainer("berth-test-none", "any")).rejects.toMatchObject({
        code: "docker-refused",
      });
    });

    it("are listed with the ports of the host that lead into them, while they run", async () => {
      const stage = stageOf();
      const HostPort = String(await stage.setting.freePort());
      const body = stage.body("idle", {
        ExposedPorts: { "80/tcp": {} },
        HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort }] } },
      });
      const id = await stage.engine.createContainer(stage.name("publishes"), body);
      const ports = async () => {
        const all = await stage.engine.listContainers({ "berth.test": stage.mark });
        return all.find((container) => container.id === id)?.ports;
      };
      expect(await ports()).toEqual([]);
      await stage.engine.startContainer(id);
      expect(await ports()).toEqual([Number(HostPort)]);
    });

    it("are not made of an image that is not there", async () => {
      const stage = stageOf();
      const body = stage.body("idle", { Image: "berth-test-none:1" });
      const made = stage.engine.createContainer(stage.name("imageless"), body);
      await expect(made).rejects.toMatchObject({
        code: "docker-refused",
        parts: { what: "the image is not on the host" },
      });
      expect(await stage.state(stage.name("imageless"))).toBe("absent");
    });

    it("are listed by all of the labels, running or not", async () => {
      const stage = stageOf();
      const running = await stage.run("one", "idle", { Labels: { "berth.a": "1", "berth.b": "x=y,z" } });
      const made = await stage.engine.createContainer(
        stage.name("two"),
        stage.body("idle", { Labels: { "berth.a": "1" } }),
      );
      await stage.run("three", "idle", { Labels: { "berth.a": "11" } });
      const list = async (more: Record<string, string>) => {
        const found = await stage.engine.listContainers({ "berth.test": stage.mark, ...more });
        return found.map(({ id, name, running }) => ({ id, name, running })).sort((a, b) => (a.name < b.name ? -1 : 1));
      };
      const [one, two] = [
        { id: running, name: stage.name("one"), running: true },
        { id: made, name: stage.name("two"), running: false },
      ];
      expect(await list({ "berth.a": "1" })).toEqual([one, two]);
      expect(await list({ "berth.a": "1", "berth.b": "x=y,z" })).toEqual([one]);
      expect(await list({ "berth.a": "2" })).toEqual([]);
      const [labelled] = await stage.engine.listContainers({ "berth.test": stage.mark, "berth.b": "x=y,z" });
      expect(labelled?.labels).toMatchObject({ "berth.test": stage.mark, "berth.a": "1", "berth.b": "x=y,z" });
    });

    it("keep what they write, of which the last lines can be read, also after their end", async () => {
      const stage = stageOf();
      const id = await stage.run("talks", "talk");
      await expect.poll(() => stage.state(id), patience).toBe("exited");
      expect((await stage.engine.inspectContainer(id))?.exitCode).toBe(3);
      const lines = (text: string) => text.trimEnd().split("\n");
      expect(lines(await stage.engine.readOutput(id, 100)).sort()).toEqual([
        "err 1",
        "err 2",
        "out 1",
        "out 2",
        "out 3",
      ]);
      expect(lines(await stage.engine.readOutput(id, 2))).toHaveLength(2);
      expect(await stage.engine.readOutput(id, 1)).toMatch(/^(?:out 3|err 2)\n$/);
    });

    it("come back when they end by themselves, are counted, and the count begins anew with a start", async () => {
      const stage = stageOf();
      const RestartPolicy = { Name: "unless-stopped", MaximumRetryCount: 0 };
      const id = await stage.run("returns", "idle", { HostConfig: { RestartPolicy } });
      const before = await stage.engine.inspectContainer(id);
      stage.setting.kill(before?.pid ?? 0);
      const restarts = async () => (await stage.engine.inspectContainer(id))?.restarts;
      await expect.poll(restarts, patience).toBe(1);
      await expect.poll(() => stage.state(id), patience).toBe("running");
      expect((await stage.engine.inspectContainer(id))?.pid).not.toBe(before?.pid);
      expect(await stage.engine.lastEnd(id)).toEqual({ exitCode: 137, outOfMemory: false });
      await stage.engine.stopContainer(id, 10);
      expect(await stage.state(id)).toBe("exited");
      await stage.engine.startContainer(id);
      expect(await stage.engine.inspectContainer(id)).toMatchObject({ state: "running", restarts: 0 });
    });

    it("do not start on a port that another has, and start when it is free", async () => {
      const stage = stageOf();
      const port = String(await stage.setting.freePort());
      const more = {
        ExposedPorts: { "80/tcp": {} },
        HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: port }] } },
      };
      const first = await stage.run("first", "idle", more);
      const second = await stage.engine.createContainer(stage.name("second"), stage.body("idle", more));
      const error: unknown = await stage.engine.startContainer(second).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: "port-in-use" });
      expect(String(error)).toContain(port);
      expect(await stage.state(second)).toBe("created");
      await stage.engine.stopContainer(first, 10);
      await stage.engine.startContainer(second);
      expect(await stage.state(second)).toBe("running");
    });

    it("are in all of their networks", async () => {
      const stage = stageOf();
      const networks = ["one", "two", "three"].map((name) => stage.name(name));
      for (const name of networks) await stage.setting.makeNetwork(name);
      const body = stage.body("idle", {
        HostConfig: { NetworkMode: networks[0] },
        NetworkingConfig: { EndpointsConfig: Object.fromEntries(networks.map((name) => [name, {}])) },
      });
      const id = await stage.engine.createContainer(stage.name("connected"), body);
      expect((await stage.engine.inspectContainer(id))?.body).toMatchObject(body);
      await stage.engine.startContainer(id);
      expect((await stage.engine.inspectContainer(id))?.body).toMatchObject(body);
    });

    it("do not start without their program, or without their devices", async () => {
      const stage = stageOf();
      const absent = await stage.engine.createContainer(stage.name("absent"), stage.body("absent"));
      await expect(stage.engine.startContainer(absent)).rejects.toMatchObject({ code: "docker-refused" });
      const DeviceRequests = [{ Driver: "berth-none", Count: 1, Capabilities: [["gpu"]] }];
      const body = stage.body("idle", { HostConfig: { DeviceRequests } });
      const deviceless = await stage.engine.createContainer(stage.name("deviceless"), body);
      await expect(stage.engine.startContainer(deviceless)).rejects.toMatchObject({ code: "host-unsuitable" });
    });
  });
}
