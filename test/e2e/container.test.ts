import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { parseEvidence } from "../../src/schema/evidence.js";
import {
  askDocker,
  containerEvents,
  inspectContainer,
  recreateContainer,
  type WritableBody,
} from "../support/docker-api.js";
import { BoxedSetting, whyNoBoxes, type BoxedDeployment } from "../support/container-stack.js";
import type { Sandbox } from "../support/sandbox.js";

const reason = await whyNoBoxes();
const canary = "canary-box-41d7";

const title = `a deployment in a container${reason === undefined ? "" : ` (${reason})`}`;

describe.skipIf(reason !== undefined)(title, () => {
  let setting: BoxedSetting;
  let sandbox: Sandbox;
  let versions: BoxedSetting["versions"];

  beforeAll(async () => {
    setting = await BoxedSetting.create();
    ({ sandbox, versions } = setting);
    await sandbox.pulumi(["config", "set", "--secret", "berth:canary", canary, "--stack", "test"]);
  });
  afterAll(() => setting.dispose());

  const want = (deployments: Record<string, BoxedDeployment>) => {
    setting.want(deployments);
  };
  const up = () => setting.up();
  const containers = () => setting.containers();
  const only = () => setting.only();
  const inspect = async () => inspectContainer(await only());

  async function answer(): Promise<string> {
    const response = await fetch(`${setting.endpoint}/completions`, {
      method: "POST",
      body: "{}",
      signal: AbortSignal.timeout(5000),
    });
    const { choices } = (await response.json()) as { choices: { text: string }[] };
    return choices[0]?.text ?? "";
  }

  const secret = ["secretEnv: { FAKE_SECRET: { secret: canary } }"];

  it("is created when it has answered, of the image by its digest, on loopback and without privileges", async () => {
    want({ chat: { fields: secret } });
    const output = await up();
    expect(output).not.toContain(canary);
    expect(await answer()).toBe("five");
    const { Config, HostConfig, NetworkSettings } = await inspect();
    expect(Config.Image).toBe(versions["1"].pinned);
    expect(Config.Env).toContain(`FAKE_SECRET=${canary}`);
    expect(JSON.stringify([Config.Cmd, Config.Entrypoint, Config.Labels])).not.toContain(canary);
    expect(HostConfig.Privileged).toBe(false);
    expect(HostConfig.NetworkMode).not.toBe("host");
    expect(HostConfig.RestartPolicy).toMatchObject({ Name: "unless-stopped" });
    const bindings = Object.values(NetworkSettings.Ports).flat();
    expect(bindings).toEqual([{ HostIp: "127.0.0.1", HostPort: String(sandbox.portRange[0]) }]);
    const { output: state } = await sandbox.pulumi(["stack", "export", "--stack", "test"]);
    expect(state).not.toContain(canary);
  });

  it("leaves nothing to do: the container is the same one after another up", async () => {
    const before = await inspect();
    const since = Math.floor(Date.now() / 1000) + 1;
    const { exitCode, output } = await sandbox.pulumi([
      ...["up", "--yes", "--skip-preview", "--expect-no-changes", "--stack", "test"],
    ]);
    expect(exitCode, output).toBe(0);
    const after = await inspect();
    expect(after.Id).toBe(before.Id);
    expect(after.State.StartedAt).toBe(before.State.StartedAt);
    // Whatever somebody changes of a container is an event.
    expect(await containerEvents(before.Id, since)).toBe("");
  });

  it("is applied and healthy, and has been running since its container was started", async () => {
    const started = Date.parse((await inspect()).State.StartedAt);
    const { exitCode, output } = await sandbox.berth(["verify", "test"]);
    expect(exitCode, output).toBe(0);
    const { deployments } = parseEvidence(readFileSync(sandbox.path(".berth", "evidence", "test.json"), "utf8"), "");
    expect(deployments.chat).toMatchObject({ applied: true, healthy: true, failed: [] });
    const soakSeconds = deployments.chat?.soakSeconds ?? -1;
    expect(soakSeconds).toBeGreaterThan(0);
    expect(soakSeconds).toBeLessThanOrEqual((Date.now() - started) / 1000);
  });

  it("changes to another image, and tells its logs without secrets", async () => {
    want({ chat: { version: "2", fields: [...secret, 'extraParameters: ["--text", "six"]'] } });
    await up();
    expect(await answer()).toBe("six");
    expect((await inspect()).Config.Image).toBe(versions["2"].pinned);
    const { output } = await sandbox.berth(["logs", "chat", "--stack", "test"]);
    expect(output).toContain("fake: listening on 0.0.0.0:");
    expect(output).toContain("fake: the secret is ");
    expect(output).not.toContain(canary);
  });

  it("serves as before when the new one never gets healthy, and of the new one nothing is left", async () => {
    const before = await inspect();
    setting.want({ chat: { version: "1", fields: [...secret, 'extraParameters: ["--never-healthy"]'] } }, (text) =>
      text.replace("healthyDeadline: 20s", "healthyDeadline: 4s"),
    );
    const { exitCode, output } = await sandbox.up();
    expect(exitCode).not.toBe(0);
    expect(output).toMatch(
      /the runner was not healthy within 4 s; the runner before it serves again, after [\d.]+ s without one/,
    );
    expect(output).toContain("fake: listening on");
    expect(output).not.toContain(canary);
    expect(await answer()).toBe("six");
    const after = await inspect();
    expect(after.Id).toBe(before.Id);
  });

  it("tells of an engine that ends with what it said last and its exit code", async () => {
    want({ chat: { version: "1", model: "broken" } });
    const { exitCode, output } = await sandbox.up();
    expect(exitCode).not.toBe(0);
    expect(output).toContain("the runner ended before it was healthy");
    expect(output).toMatch(/got: .*exit code 1/);
    expect(output).toContain("fake: failed to load the model");
    expect(await answer()).toBe("six");
  });

  describe("that somebody changes by hand", () => {
    beforeAll(async () => {
      want({ chat: {} });
      await up();
    });

    const recreate = async (change: (body: WritableBody) => void) => recreateContainer(await only(), change);
    const post = async (what: string, body?: object) => askDocker("POST", `/containers/${await only()}/${what}`, body);

    const tamperings: [string, () => unknown, RegExp][] = [
      ["removes it", async () => askDocker("DELETE", `/containers/${await only()}?force=true`), /its runner is gone/],
      [
        "gives it another name",
        async () => askDocker("POST", `/containers/${await only()}/rename?name=by-hand-${await only()}`),
        /its container was changed: renamed to by-hand-/,
      ],
      [
        "loses how it was made",
        () => rmSync(join(sandbox.dataDir, "containers"), { recursive: true }),
        /its container was changed: its definition is gone/,
      ],
      ["stops it", () => post("stop?t=1"), /its runner is stopped \(exited, exit code/],
      ["pauses it", () => post("pause"), /its runner is paused/],
      [
        "kills its process, and it comes back",
        async () => {
          const { State } = await inspect();
          process.kill(State.Pid, "SIGKILL");
          await delay(3000);
        },
        /its runner came back once since it was verified/,
      ],
      [
        "gives it another environment",
        () => recreate((body) => (body.Env = [...body.Env, "ADDED=1"])),
        /its container was changed: environment/,
      ],
      ["gives it other arguments", () => recreate((body) => body.Cmd.push("--text", "no")), /changed: command/],
      [
        "gives it another image",
        async () => {
          await setting.images.pull(versions["2"]);
          await recreate((body) => (body.Image = versions["2"].pinned));
        },
        /its container was changed: image/,
      ],
      [
        "lets it write to its model",
        () =>
          recreate((body) => {
            for (const mount of body.HostConfig.Mounts) mount.ReadOnly = false;
          }),
        /its container was changed: mounts/,
      ],
      [
        "publishes it on every address",
        () =>
          recreate((body) => {
            for (const binding of Object.values(body.HostConfig.PortBindings).flat()) binding.HostIp = "0.0.0.0";
          }),
        /its container was changed: ports/,
      ],
      [
        "lets it gain privileges",
        () => recreate((body) => (body.HostConfig.SecurityOpt = [])),
        /its container was changed: privileges/,
      ],
      [
        "loses the data directory",
        () => rmSync(sandbox.dataDir, { recursive: true }),
        /Host local\)?.*is gone|\[berth local\] drift: .* is gone/,
      ],
      [
        "gives it another restart policy",
        () => post("update", { RestartPolicy: { Name: "no" } }),
        /its container was changed: restart policy/,
      ],
      [
        "limits its memory",
        () => post("update", { Memory: 512_000_000, MemorySwap: 1_024_000_000 }),
        /its container was changed: memory/,
      ],
    ];

    it.each(tamperings)("who %s: refresh tells it by name, and one up mends it", async (_, tamper, names) => {
      // What the test before has mended shows as no drift.
      expect(await sandbox.refreshDrift()).toBe("");
      await tamper();
      const drift = await sandbox.refreshDrift();
      expect(drift).toMatch(names);
      await up();
      expect(await answer()).toBe("five");
      expect((await containers()).map(({ State }) => State)).toEqual(["running"]);
    });

    it("has nothing to do in the end", async () => {
      const { exitCode, output } = await sandbox.pulumi(["preview", "--expect-no-changes", "--stack", "test"]);
      expect(exitCode, output).toBe(0);
    });
  });

  it("goes on as it was when the state was lost, and is not taken with adopt: never", async () => {
    const before = await inspect();
    const { output: state } = await sandbox.pulumi(["stack", "export", "--stack", "test"]);
    const lost = JSON.parse(state) as { deployment: { resources: { type: string }[] } };
    lost.deployment.resources = lost.deployment.resources.filter(({ type }) => type === "pulumi:pulumi:Stack");
    sandbox.write("lost.json", JSON.stringify(lost));
    await sandbox.pulumi(["stack", "import", "--file", "lost.json", "--stack", "test"]);

    want({ chat: { fields: ["adopt: never"] } });
    const refused = await sandbox.up();
    expect(refused.exitCode).not.toBe(0);
    expect(refused.output).toContain("adopt: ifLabelled");
    want({ chat: {} });
    await up();
    const after = await inspect();
    expect([after.Id, after.State]).toEqual([before.Id, before.State]);
    expect(await sandbox.refreshDrift()).toBe("");
  });

  it("leaves nothing behind where somebody renamed it and lost how it was made", async () => {
    await askDocker("POST", `/containers/${await only()}/rename?name=by-hand-${await only()}`);
    rmSync(join(sandbox.dataDir, "containers"), { recursive: true });
    const { exitCode, output } = await sandbox.pulumi(["destroy", "--yes", "--skip-preview", "--stack", "test"]);
    expect(exitCode, output).toBe(0);
    expect(await containers()).toEqual([]);
    await up();
  });

  it("leaves nothing behind, also when its container is gone already", async () => {
    await askDocker("DELETE", `/containers/${await only()}?force=true`);
    const { exitCode, output } = await sandbox.pulumi(["destroy", "--yes", "--skip-preview", "--stack", "test"]);
    expect(exitCode, output).toBe(0);
    expect((await sandbox.pulumi(["destroy", "--yes", "--skip-preview", "--stack", "test"])).exitCode).toBe(0);
    expect(await containers()).toEqual([]);
    const left = existsSync(sandbox.dataDir) ? readdirSync(join(sandbox.dataDir)) : [];
    expect(left.filter((name) => name !== "cache")).toEqual([]);
  });
});
