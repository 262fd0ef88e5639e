import { describe, expect, it } from "vitest";

import { gatherFacts, gatherHost } from "../../../src/host/facts.js";
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
    expect(await gatherFacts(machine, undefined)).toEqual(facts);
    expect(JSON.stringify(facts)).not.toMatch(/pid|used/i);
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
