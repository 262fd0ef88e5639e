import { readFileSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { fakeStack, serveModels, type FakeDeployment } from "../support/fake-stack.js";
import { writeNvidiaSmi } from "../support/fake-nvidia-smi.js";
import type { FileServer } from "../support/file-server.js";
import { Sandbox } from "../support/sandbox.js";

// Tests that run beside this one have others: the tool sees the processes of all of them.
const [first, second] = ["GPU-51c2e7d4-0000", "GPU-9ae04b13-1111"];
const gib = 2 ** 30;

/** A deployment that has so much of devices that a person has chosen; without a size it has them whole. */
function on(device: string, size?: number): FakeDeployment {
  const resources = size === undefined ? [] : [`resources: { vramBytes: ${size * gib} }`];
  return { fields: [...resources, `placement: { devices: { local: [${device}] } }`] };
}

describe("one `pulumi up` that gives away what it frees", () => {
  let server: FileServer;
  let sandbox: Sandbox;
  let bin: string;

  beforeAll(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
    bin = writeNvidiaSmi(sandbox.root, [first, second]);
    const backend = readFileSync(sandbox.path("backends", "fake.yaml"), "utf8");
    const types = "acceleratorTypes: [cuda, cpu]";
    sandbox.write("backends/fake.yaml", backend.replaceAll("package: six,", `package: six, ${types},`));
  });
  afterAll(async () => {
    await sandbox.dispose();
    await server.close();
  });

  async function up(wanted: Record<string, FakeDeployment>, environment: Record<string, string> = {}) {
    sandbox.writeStack(fakeStack(server, sandbox.portRange, wanted));
    const { exitCode, output } = await sandbox.up([], { PATH: `${bin}:${sandbox.searchPath}`, ...environment });
    expect(exitCode, output).toBe(0);
    const instances = sandbox.resources("Instance").map(({ inputs }) => [inputs.deployment, inputs.devices]);
    expect(sandbox.runners()).toHaveLength(instances.length);
    return Object.fromEntries(instances) as Record<string, unknown>;
  }

  it("starts what takes a device when the deployment that had it is gone", async () => {
    await up({ chat: on(first) });
    expect(await up({ next: on(first) })).toEqual({ next: [first] });
  });

  it("moves one deployment to another device, and another to where it was", async () => {
    await up({ next: on(first), late: on(second, 20) });
    expect(await up({ next: on(second, 50), added: on(first), late: on(second, 20) })).toEqual({
      ...{ added: [first], late: [second], next: [second] },
    });
  });

  it("lets one deployment shrink before another takes what it gives up", async () => {
    await up({ added: on(first, 60), late: on(second, 20) });
    expect(await up({ added: on(first, 20), again: on(first, 50), late: on(second, 20) })).toMatchObject({
      again: [first],
    });
  });

  it("refuses two that change places before anything is touched, and tells the two steps that get there", async () => {
    await up({ added: on(first), late: on(second) });
    const runners = sandbox.runners();
    const environment = { PATH: `${bin}:${sandbox.searchPath}` };
    sandbox.writeStack(fakeStack(server, sandbox.portRange, { added: on(second), late: on(first) }));
    const planned = await sandbox.berth(["plan", "test"], environment);
    expect(planned.output).toContain("the `up` would be refused, because added-0, late-0 change places");
    const { exitCode, output } = await sandbox.up([], environment);
    expect(exitCode).not.toBe(0);
    expect(output).toContain(`late-0 is to get device ${first}, which added-0 gives up only after it`);
    expect(output).toContain("take added out of the stack file and run `pulumi up`");
    expect(sandbox.runners()).toEqual(runners);
    expect(await up({ late: on(first) })).toEqual({ late: [first] });
    expect(await up({ added: on(second), late: on(first) })).toEqual({ added: [second], late: [first] });
  });

  it("gives a port from one deployment to another", async () => {
    const port = sandbox.portRange[0] + 7;
    const asking = { fields: [...(on(second, 1).fields ?? []), `port: ${port}`] };
    await up({ late: asking });
    await up({ late: on(second, 1), next: asking });
    await up({ fresh: asking });
    expect(sandbox.resources("Instance").map(({ inputs }) => [inputs.deployment, inputs.port])).toEqual([
      ["fresh", port],
    ]);
  });
});
