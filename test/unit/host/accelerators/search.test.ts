import { describe, expect, it } from "vitest";

import { findAccelerators } from "../../../../src/host/accelerators/search.js";
import { readAnswers } from "../../support/accelerator-fixtures.js";
import { hangs, ToolHost } from "../../support/tool-host.js";

const h100 = readAnswers("nvidia/synthetic-535-h100");
const all = { "nvidia-smi -q -x": h100.all ?? "" };
const topology = { "nvidia-smi topo -m": h100.topology ?? "" };
const capabilities = { "nvidia-smi --query-gpu=uuid,compute_cap --format=csv,noheader": h100.capabilities ?? "" };
const mxSmi = { "mx-smi": readAnswers("metax/synthetic-c500").table ?? "" };

const find = (answers: ConstructorParameters<typeof ToolHost>[0]) =>
  findAccelerators(new ToolHost(answers), { ramBytes: 2 ** 37 });

describe("the accelerators of a host", () => {
  it("are none, without a warning, where no tool is installed", async () => {
    expect(await find({})).toEqual({ accelerators: [], usage: [], warnings: [] });
  });

  it("are those of all vendors", async () => {
    const { accelerators, usage, warnings } = await find({ ...all, ...topology, ...capabilities, ...mxSmi });
    expect(accelerators.map(({ type }) => type)).toEqual(["cuda", "cuda", "cuda", "cuda", "maca", "maca"]);
    expect(usage).toHaveLength(6);
    expect(warnings).toEqual([]);
  });

  it("are known without what an older tool does not tell", async () => {
    const { accelerators, warnings } = await find({ ...all, ...topology });
    expect(accelerators[0]).toMatchObject({ computeCapability: "9.0", linkGroup: 0 });
    expect(warnings).toEqual([]);
  });

  it("are asked for with no command twice", async () => {
    const host = new ToolHost({ ...all, ...topology, ...capabilities });
    await findAccelerators(host, { ramBytes: 2 ** 37 });
    const asked = host.asked.filter((command) => command.startsWith("nvidia-smi"));
    expect(asked).toEqual(Object.keys({ ...all, ...topology, ...capabilities }));
  });
});

describe("a tool", () => {
  it("that fails is a warning with the last line that it wrote", async () => {
    const stdout = "Failed to initialize NVML\nNVIDIA-SMI has failed because it could not reach the driver.\n";
    const { accelerators, warnings } = await find({ "nvidia-smi -q -x": { exitCode: 9, stdout, stderr: "" } });
    expect(accelerators).toEqual([]);
    expect(warnings).toEqual([
      "`nvidia-smi -q -x` failed with exit code 9: NVIDIA-SMI has failed because it could not reach the driver.",
    ]);
  });

  it("that writes something else is a warning", async () => {
    const { accelerators, warnings } = await find({ "nvidia-smi -q -x": "hello" });
    expect(accelerators).toEqual([]);
    expect(warnings).toEqual(["`nvidia-smi -q -x` wrote nothing that Berth understands: accelerators unknown"]);
  });

  it("that hangs is a warning and is not asked again; the others are", async () => {
    const host = new ToolHost({ "nvidia-smi -q -x": hangs, ...mxSmi });
    const { accelerators, warnings } = await findAccelerators(host, { ramBytes: 2 ** 37 });
    expect(accelerators.map(({ type }) => type)).toEqual(["maca", "maca"]);
    expect(warnings).toEqual(["`nvidia-smi -q -x` did not answer within 15 s: what it would tell is unknown"]);
    expect(host.asked.filter((command) => command.startsWith("nvidia-smi"))).toEqual(["nvidia-smi -q -x"]);
  });

  it("that hangs on its second command leaves what the first has told", async () => {
    const { accelerators, warnings } = await find({ ...all, "nvidia-smi topo -m": hangs, ...capabilities });
    expect(accelerators).toHaveLength(4);
    expect(accelerators[0]?.linkGroup).toBeUndefined();
    expect(warnings).toEqual(["`nvidia-smi topo -m` did not answer within 15 s: what it would tell is unknown"]);
  });

  it("has the time that it is given", async () => {
    const host = new ToolHost({ "nvidia-smi -q -x": hangs });
    const { warnings } = await findAccelerators(host, { ramBytes: 1, timeoutSeconds: 3 });
    expect(warnings[0]).toContain("within 3 s");
  });
});
