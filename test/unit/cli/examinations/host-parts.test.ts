import { describe, expect, it } from "vitest";

import { judgeClock } from "../../../../src/cli/examinations/clock.js";
import { judgeContainers } from "../../../../src/cli/examinations/containers.js";
import { formatFinding } from "../../../../src/cli/examinations/finding.js";
import { judgeNode } from "../../../../src/cli/examinations/machine.js";
import { judgeLost, judgeReached } from "../../../../src/cli/examinations/reach.js";
import { judgeSshd } from "../../../../src/cli/examinations/sshd.js";
import { loginFailure, sudoRefusal } from "../../../../src/host/ssh-failure.js";
import { access, survey } from "./surveys.js";

const target = { name: "gpu1", address: "gpu1", user: "berth", sudo: "nonInteractive" } as const;

describe("judgeClock", () => {
  it.each([
    [0, "good", "as this machine's"],
    [-5, "good", "as this machine's"],
    [20, "note", "20 s ahead of this machine's"],
    [-60, "bad", "60 s behind this machine's; runs of machines that are 45 s apart take each other's host lock over"],
  ])("of %d s is %s", (seconds, state, found) => {
    expect(judgeClock(seconds)).toMatchObject({ state, found });
  });
});

describe("judgeContainers", () => {
  const socket = access({ path: "/var/run/docker.sock", owner: "root", group: "docker", mode: 0o660, writable: false });
  const warnings = ["docker is installed, but does not answer: permission denied"];

  it("tells of an engine that answers", () => {
    const engine = { engine: "docker", version: "27.5.1" } as const;
    expect(judgeContainers({ engine, warnings: [], survey: survey() })).toMatchObject([
      { state: "good", found: "docker 27.5.1" },
    ]);
  });

  it("names the group of a socket that the user may not use, and what it means to be in it", () => {
    const [finding] = judgeContainers({ engine: undefined, warnings, survey: survey({ sockets: [socket] }) });
    expect(finding?.found).toBe("berth may not use /var/run/docker.sock, which is root's and the group docker's");
    expect(finding?.mend).toMatch(/^sudo usermod -aG docker berth; .*as good as root$/);
  });

  it("sends nobody into root's own group", () => {
    const rootly = survey({ sockets: [{ ...socket, group: "root" }] });
    const [finding] = judgeContainers({ engine: undefined, warnings, survey: rootly });
    expect(finding?.mend).toContain("sudo: nonInteractive");
  });

  it("says what an engine that does not answer said, and that none is needed", () => {
    expect(judgeContainers({ engine: undefined, warnings, survey: survey() })).toMatchObject([
      { state: "note", found: warnings[0] },
    ]);
    expect(judgeContainers({ engine: undefined, warnings: [], survey: survey() })).toMatchObject([
      { state: "note", found: "none" },
    ]);
  });
});

describe("judgeSshd", () => {
  it("tells what sshd forbids, and of this machine nothing", () => {
    expect(judgeSshd({ refusedSessions: 0, forwards: true }).map(({ state }) => state)).toEqual(["good", "good"]);
    expect(judgeSshd({ refusedSessions: 3, forwards: false })).toMatchObject([
      { state: "note", mend: expect.stringContaining("MaxSessions 10") as string },
      { state: "bad", mend: expect.stringContaining("AllowTcpForwarding local") as string },
    ]);
    expect(judgeSshd({ refusedSessions: 0, forwards: undefined })[1]).toMatchObject({ state: "note" });
    expect(judgeSshd(undefined)).toEqual([]);
  });
});

describe("judgeLost", () => {
  it.each<[string, unknown, string]>([
    ["host key", loginFailure(target, "Host key verification failed."), "connect once yourself"],
    ["host key", loginFailure(target, "REMOTE HOST IDENTIFICATION HAS CHANGED!"), "ssh-keygen -R gpu1"],
    ["login", loginFailure(target, "berth@gpu1: Permission denied (publickey)."), "authorized_keys"],
    ["reached", loginFailure(target, "ssh: connect to host gpu1 port 22: Connection refused"), "the host is up"],
    ["sudo", sudoRefusal(target, "sudo: a password is required"), "berth ALL=(root) NOPASSWD: /bin/sh"],
  ])("says that it was the %s", (subject, error, mend) => {
    const finding = judgeLost(error);
    expect(finding).toMatchObject({ state: "bad", subject });
    expect(finding.mend).toContain(mend);
    expect(formatFinding(finding).split("\n")).toHaveLength(2);
  });

  it("says how long nothing was heard", () => {
    expect(judgeLost(new Error("no answer within 120 s"))).toEqual({
      ...{ state: "bad", subject: "reached", found: "no answer within 120 s" },
    });
  });
});

describe("judgeReached", () => {
  it("says who is logged in, and how", () => {
    const ssh = { address: "gpu1" };
    expect(judgeReached({ connection: "local" }, "ann")[0]?.found).toBe("ann, on this machine");
    expect(judgeReached({ connection: "ssh", ssh }, "berth")[0]?.found).toBe("berth; the host's key is verified");
    const bySudo = judgeReached({ connection: "ssh", ssh: { ...ssh, sudo: "nonInteractive" } }, "root");
    expect(bySudo[0]?.found).toBe("root, by sudo without a question; the host's key is verified");
  });
});

describe("judgeNode", () => {
  it("wants Node 20 or later", () => {
    expect(judgeNode("20.0.0").state).toBe("good");
    expect(judgeNode("18.20.4")).toMatchObject({ state: "bad", mend: "install Node 20 or later" });
  });
});
