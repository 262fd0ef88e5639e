import { describe, expect, it } from "vitest";

import { gatherHost, gatherPython, gatherSharedFacts } from "../../../src/host/facts.js";
import { BerthError } from "../../../src/lib/errors.js";
import type { RunResult } from "../../../src/host/host.js";
import { readAnswers } from "../support/accelerator-fixtures.js";
import { hangs, ToolHost } from "../support/tool-host.js";

const system = {
  look: `uname Linux 6.1.0-18-amd64 x86_64
user ada
home /home/ada
cpus 8
distribution "Debian GNU/Linux 12 (bookworm)"
ramKib 1000
df /dev/vda1 1000 1 999 1% /`,
};
const docker = { "docker version --format {{json .}}": '{"Server":{"Version":"27.5.1","ApiVersion":"1.47"}}' };
const h100 = readAnswers("nvidia/synthetic-535-h100");
const nvidia = {
  "nvidia-smi -q -x": h100.all ?? "",
  "nvidia-smi topo -m": h100.topology ?? "",
  "nvidia-smi --query-gpu=uuid,compute_cap --format=csv,noheader": h100.capabilities ?? "",
};

/** A Linux machine with these commands and nothing else. */
class Machine extends ToolHost {
  override listeningPorts(): Promise<Set<number>> {
    return Promise.resolve(new Set([80, 22]));
  }
}

const foundPython = { path: "/usr/bin/python3", version: "3.11.2" };

class MachineWithPython extends Machine {
  searches = 0;

  override run(argv: readonly [string, ...string[]]): Promise<RunResult> {
    if (argv[0] !== "python3") return super.run(argv);
    this.searches += 1;
    return Promise.resolve({ exitCode: 0, stdout: JSON.stringify({ ...foundPython, pipx: null }), stderr: "" });
  }
}

describe("what is known of a host", () => {
  it("is its system, container engine and ports, where there is no accelerator", async () => {
    const machine = new Machine({ ...system, ...docker });
    expect(await gatherHost(machine, {})).toEqual({
      facts: {
        os: "linux",
        distribution: "Debian GNU/Linux 12 (bookworm)",
        kernel: "6.1.0-18-amd64",
        arch: "x64",
        cpus: 8,
        ramBytes: 1_024_000,
        diskBytes: 1_024_000,
        user: "ada",
        home: "/home/ada",
        initSystem: "other",
        containerEngine: { engine: "docker", version: "27.5.1", apiVersion: "1.47" },
        accelerators: [],
      },
      usage: { listeningPorts: [22, 80] },
      warnings: [],
    });
  });

  it("is the engine at its socket, whatever the commands say, and the ports that lead into its containers", async () => {
    const engine = { engine: "docker", version: "20.10.24", apiVersion: "1.41" } as const;
    const look = () => Promise.resolve({ engine, publishedPorts: [8080, 80] });
    const { facts, usage } = await gatherHost(new Machine({ ...system, ...docker }), { lookAtDocker: look });
    expect(facts.containerEngine).toEqual(engine);
    expect(usage.listeningPorts).toEqual([22, 80, 8080]);
  });

  it.each([
    ["as the socket tells it", { engine: "docker", version: "19.03.15", apiVersion: "1.40" } as const],
    ["as the command tells it", undefined],
  ])("is an engine that cannot be used, %s, with what is wrong and a warning", async (_, engine) => {
    const problem = { what: "it is of no use", hint: "mend it" };
    const look = () => Promise.resolve({ engine, problem, publishedPorts: [] });
    const { facts, warnings } = await gatherHost(new Machine({ ...system, ...docker }), { lookAtDocker: look });
    const told = engine ?? { engine: "docker", version: "27.5.1", apiVersion: "1.47" };
    expect(facts.containerEngine).toEqual({ ...told, problem });
    expect(warnings).toEqual([{ subject: "containerEngine", text: "it is of no use; mend it" }]);
  });

  it("is one error, told once, when the host is lost while all looks go on", async () => {
    const lost = new BerthError("host-unreachable", { what: "the connection was lost" });
    class LostMachine extends Machine {
      override run(): Promise<RunResult> {
        return Promise.reject(lost);
      }
    }
    const untold: unknown[] = [];
    const hear = (reason: unknown) => untold.push(reason);
    process.on("unhandledRejection", hear);
    const looking = { lookAtDocker: () => Promise.reject(lost) };
    await expect(gatherHost(new LostMachine({}), looking)).rejects.toBe(lost);
    await expect(gatherSharedFacts(new LostMachine({}), undefined, looking)).rejects.toBe(lost);
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", hear);
    expect(untold).toEqual([]);
  });

  it("has who uses its accelerators, with the instances of Berth's own runners and what descends from them", async () => {
    const machine = new Machine({ ...system, ...nvidia, "ps -axo pid=,ppid=": " 5001 4000\n 5002 4000\n 4000 1\n" });
    const findRunners = () => Promise.resolve(new Map([[4000, "chat-0"]]));
    const { usage } = await gatherHost(machine, { findRunners });
    const users = usage.accelerators?.flatMap(({ processes = [] }) => processes);
    expect(users?.map(({ pid, instance }) => [pid, instance])).toEqual([
      [5001, "chat-0"],
      [5002, "chat-0"],
      [41_822, undefined],
    ]);
  });

  it("does not have in its facts what changes between two looks", async () => {
    const machine = new Machine({ ...system, ...docker, ...nvidia });
    const { facts } = await gatherHost(machine, {});
    expect(await gatherSharedFacts(machine, undefined)).toEqual(facts);
    expect(JSON.stringify(facts)).not.toMatch(/pid|used/i);
  });

  it("is told without a search for Python where that depends on who looks", async () => {
    const machine = new MachineWithPython({ ...system, "python3 --version": "" });
    const { facts } = await gatherHost(machine, {});
    const { python, ...shared } = facts;
    expect(python).toEqual(foundPython);
    expect(machine.searches).toBe(1);
    expect(await gatherSharedFacts(machine, "/data")).toEqual(shared);
    expect(machine.searches).toBe(1);
    expect(await gatherPython(machine)).toEqual({ python });
  });

  it.each([
    [
      { exitCode: 1, stdout: '{"Client":{},"Server":null}', stderr: "Cannot connect to the Docker daemon" },
      "Cannot connect to the Docker daemon",
    ],
    [hangs, "no answer within 15 s"],
    [{ exitCode: 1, stdout: "", stderr: "" }, "no reason given"],
  ])("has a warning where the container engine does not answer", async (answer, reason) => {
    const machine = new Machine({ ...system, "docker version --format {{json .}}": answer });
    const { facts, warnings } = await gatherHost(machine, {});
    expect(facts.containerEngine).toBeUndefined();
    expect(warnings).toEqual([
      { subject: "containerEngine", text: `docker is installed, but does not answer: ${reason}` },
    ]);
  });

  it("has a warning where a vendor's tool fails", async () => {
    const machine = new Machine({
      ...system,
      "nvidia-smi -q -x": { exitCode: 6, stdout: "No devices were found", stderr: "" },
    });
    expect((await gatherHost(machine, {})).warnings).toEqual([
      { subject: "accelerators", text: "`nvidia-smi -q -x` failed with exit code 6: No devices were found" },
    ]);
  });

  it("is nothing on a system that Berth does not run models on", async () => {
    const machine = new Machine({ look: "uname SunOS 5.11 i86pc" });
    await expect(gatherHost(machine, {})).rejects.toMatchObject({ code: "host-unsuitable" });
  });
});
