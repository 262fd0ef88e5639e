import { setTimeout as delay } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { fakeStack, serveModels, type FakeDeployment } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { complete } from "../support/load.js";
import { Sandbox, seedCache, type Outcome } from "../support/sandbox.js";

const hosts = { a: "host/a", b: "host/b", c: "host/c" };
type HostName = keyof typeof hosts;
const names = Object.keys(hosts) as HostName[];

interface Wish {
  text: string;
  /** The host on which the engine does not start. */
  broken?: HostName;
  rollout?: string;
  update?: string;
}

describe("three replicas on three hosts", () => {
  let server: FileServer;
  let sandbox: Sandbox;

  beforeAll(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
    for (const folder of Object.values(hosts)) seedCache(sandbox.path(folder));
  });
  afterAll(async () => {
    await sandbox.dispose();
    await server.close();
  });

  function want({ text, broken, rollout, update = "strategy: recreate" }: Wish): void {
    const env = broken === undefined ? [] : [`env: { FAKE_FAIL_BELOW: "${sandbox.path(hosts[broken])}/" }`];
    const fields = ["replicas: 3", `extraParameters: ["--text", "${text}"]`, ...env];
    const chat: FakeDeployment = { update, fields };
    const stack = fakeStack(server, sandbox.portRange, { chat }, "supervisord", hosts);
    sandbox.writeStack(rollout === undefined ? stack : `${stack}rollout: { ${rollout} }\n`);
  }

  function endpoints(): string[] {
    const instances = sandbox.resources("Instance").toSorted((a, b) => (a.id < b.id ? -1 : 1));
    return instances.map(({ outputs }) => String(outputs.endpoint));
  }

  /** What each replica says, by host. */
  async function answers(): Promise<Record<string, string>> {
    const said = await Promise.all(endpoints().map((endpoint) => complete(endpoint)));
    return Object.fromEntries(names.map((name, index) => [name, said[index] ?? ""]));
  }

  const all = (text: string) => Object.fromEntries(names.map((name) => [name, text]));

  /** Asks all replicas 20 times a second while something is done; tells how many did not answer at the worst moment. */
  async function mostDown(action: () => Promise<Outcome>): Promise<{ outcome: Outcome; most: number }> {
    const asked = endpoints();
    let most = 0;
    let done = false;
    const watch = async () => {
      while (!done) {
        const round = await Promise.allSettled(asked.map((endpoint) => complete(endpoint)));
        most = Math.max(most, round.filter(({ status }) => status === "rejected").length);
        await delay(50);
      }
    };
    const watching = watch();
    const outcome = await action();
    done = true;
    await watching;
    return { outcome, most };
  }

  it("are made on the host that `berth up --host` names, before there is anything elsewhere", async () => {
    want({ text: "one", rollout: "waves: [1]" });
    const { exitCode, output } = await sandbox.berth([
      ...["up", "test", "--host", "c", "--", "--yes", "--skip-preview"],
    ]);
    expect(exitCode, output).toBe(0);
    expect(sandbox.resources("Instance").map(({ id }) => id)).toEqual(["c/chat-2"]);
    expect(sandbox.runners()).toHaveLength(1);
  });

  it("are spread over them, one each, and are told with their places", async () => {
    want({ text: "one" });
    const { exitCode, output } = await sandbox.up();
    expect(exitCode, output).toBe(0);
    expect(await answers()).toEqual(all("one"));
    const outputs = await sandbox.pulumi(["stack", "output", "--json", "--stack", "test"]);
    const { deployments } = JSON.parse(outputs.output) as {
      deployments: Record<string, { endpoint: string; replicas: { host: string; endpoint: string; health: string }[] }>;
    };
    expect(deployments.chat?.replicas).toMatchObject(
      names.map((host, index) => ({ host, endpoint: endpoints()[index], health: "answered", devices: [] })),
    );
    expect(deployments.chat?.endpoint).toBe(endpoints()[0]);
  });

  it("are updated one at a time, as the strategy says, and two answer all the while", async () => {
    want({ text: "two" });
    const { outcome, most } = await mostDown(() => sandbox.up());
    expect(outcome.exitCode, outcome.output).toBe(0);
    expect(most).toBe(1);
    for (const { inputs } of sandbox.resources("Instance"))
      expect(inputs.strategy).toMatchObject({ kind: "recreate", pace: "1 at a time" });
    expect(await answers()).toEqual(all("two"));
  });

  it("stop at the first wave that fails, which tells what became of each", async () => {
    const ofLast = () => sandbox.resources("Instance").find(({ id }) => id === "c/chat-2")?.outputs.generation;
    const before = ofLast();
    want({ text: "three", broken: "b", rollout: "waves: [1, 2], pause: 1s" });
    const { exitCode, output } = await sandbox.up();
    expect(exitCode).not.toBe(0);
    expect(output).toContain("fake: this host is broken");
    expect(output).toMatch(/\[berth chat-1\] wave 2 of 3 begins in [01]\.\d s, if what was changed is healthy then/);
    expect(output).toMatch(
      /the rollout stops in wave 2 of 3\n *changed: chat-0 on a \(fake 1\)\n *failed: chat-1 on b \(fake 1 serves\)\n *not begun: 1 instance of later waves\n *`berth status test` tells what runs where/,
    );
    expect(await answers()).toEqual({ a: "three", b: "two", c: "two" });
    expect(ofLast()).toBe(before);
  });

  it("go on where they stopped when the cause is mended", async () => {
    want({ text: "three", rollout: "waves: [1, 2]" });
    const { exitCode, output } = await sandbox.up();
    expect(exitCode, output).toBe(0);
    expect(await answers()).toEqual(all("three"));
    const again = await sandbox.up(["--expect-no-changes"]);
    expect(again.exitCode, again.output).toBe(0);
    const status = await sandbox.berth(["status", "test"]);
    expect(status.output).toMatch(/^ chat-1 +b +2 of 3 +fake 1 +fake 1 +answered /m);
  });

  it("bear as many failures as they may, and the run fails all the same", async () => {
    want({ text: "four", broken: "a", rollout: "waves: [1], maxFailures: 1" });
    const { exitCode, output } = await sandbox.up();
    expect(exitCode).not.toBe(0);
    expect(output).toContain("the rollout goes on without it");
    expect(output).toContain("the rollout is through, but not every instance is as wanted");
    expect(output).toMatch(/chat-0 on a is not as wanted: host a: chat-0: the runner ended before it was healthy/);
    expect(await answers()).toEqual({ a: "three", b: "four", c: "four" });
    want({ text: "four", rollout: "waves: [1], maxFailures: 1" });
    const mended = await sandbox.up();
    expect(mended.exitCode, mended.output).toBe(0);
    expect(await answers()).toEqual(all("four"));
  });

  it("are left alone on all hosts but those that `berth up --host` names", async () => {
    want({ text: "five", rollout: "waves: [1]" });
    const unknown = await sandbox.berth(["up", "test", "--host", "d", "--", "--yes", "--skip-preview"]);
    expect(unknown).toMatchObject({ exitCode: 2 });
    expect(unknown.output).toContain("expected: a, b, c");
    const { exitCode, output } = await sandbox.berth([
      ...["up", "test", "--host", "b", "c", "--", "--yes", "--skip-preview"],
    ]);
    expect(exitCode, output).toBe(0);
    expect(await answers()).toEqual({ a: "four", b: "five", c: "five" });
  });
});
