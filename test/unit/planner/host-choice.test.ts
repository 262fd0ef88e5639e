import { describe, expect, it } from "vitest";

import { findFitting, labelsOf } from "../../../src/planner/host-choice.js";
import type { HostSelector } from "../../../src/schema/selector.js";
import type { WrittenStack } from "../support/stacks.js";
import { chat, knownHost, stackOf } from "../support/problems.js";
import { thrownBy } from "../support/thrown.js";

type Hosts = NonNullable<WrittenStack["hosts"]>;

const hosts: Hosts = {
  amd: { connection: "local", dataDir: "amd", labels: { pool: "a" } },
  arm: { connection: "local", dataDir: "arm", labels: { pool: "b", os: "linux" } },
};
const known = { amd: knownHost("/amd"), arm: knownHost("/arm", { facts: { arch: "arm64" } }) };

function choose(deployment: Parameters<typeof chat>[0] = {}, selector: HostSelector = {}, only?: string) {
  const chosen =
    only === undefined ? hosts : Object.fromEntries(Object.entries(hosts).filter(([name]) => name === only));
  const stack = stackOf({ chat: chat(deployment) }, { hosts: chosen });
  const entry = stack.deployments.chat;
  if (entry === undefined) throw new Error("no deployment");
  const [host, ...others] = findFitting({ stack, hosts: known, selector }, "chat", entry);
  expect(others).toEqual([]);
  return host;
}

describe("the host of a deployment", () => {
  it("is the one it names", () => {
    expect(choose({ host: "arm" })).toBe("arm");
  });

  it("is the only one there is", () => {
    expect(choose({}, {}, "arm")).toBe("arm");
  });

  it("is the only one that has the labels that the backend asks for", () => {
    expect(choose({}, { os: "linux", arch: "amd64" })).toBe("amd");
  });

  it("is the only one that has the labels that the deployment asks for, whatever its backend does", () => {
    expect(choose({ hostSelector: { pool: "b" } }, { arch: "amd64" })).toBe("arm");
  });

  it("is the only one whose labels fit, by lists of values, values that it must not have, and labels that are there", () => {
    expect(choose({ hostSelector: { pool: ["b", "c"] } })).toBe("arm");
    expect(choose({ hostSelector: { pool: { notIn: ["b"] } } })).toBe("amd");
    expect(choose({ hostSelector: { os: { exists: true }, arch: ["arm64"], accelerator: "cpu" } })).toBe("arm");
  });

  it("is none that is drained, and the drained one may not be named", () => {
    const { amd, arm } = hosts;
    const drained = { ...amd, connection: "local", drain: true } as const;
    const stack = stackOf(
      { chat: chat(), next: chat({ host: "amd" }) },
      { hosts: { amd: drained, ...(arm && { arm }) } },
    );
    const { chat: entry, next } = stack.deployments;
    if (entry === undefined || next === undefined) throw new Error("no deployment");
    const choice = { stack, hosts: known, selector: {} };
    expect(findFitting(choice, "chat", entry)).toEqual(["arm"]);
    expect(thrownBy(() => findFitting(choice, "next", next)).message).toBe(
      "deployment next: the host is drained\n  got: amd\n  expected: arm\n  to do: name another host",
    );
  });

  it("is none where all are drained, which says how to take that back", () => {
    const drained = { connection: "local", dataDir: "/a", drain: true } as const;
    const stack = stackOf({ chat: chat() }, { hosts: { amd: drained } });
    const entry = stack.deployments.chat;
    if (entry === undefined) throw new Error("no deployment");
    const error = thrownBy(() => findFitting({ stack, hosts: known, selector: {} }, "chat", entry));
    expect(error.message).toBe(
      "deployment chat: all hosts of the stack are drained\n  got: amd\n  expected: a host that takes replicas\n  to do: add a host, or let one take them again: `berth drain HOST --undo`",
    );
  });

  it.each<[string, Parameters<typeof chat>[0], HostSelector, string]>([
    [
      "none fits",
      { hostSelector: { pool: "c" } },
      {},
      "deployment chat: no host has the labels that are asked for\n  got: amd: pool=a; arm: pool=b\n  expected: pool=c\n  to do: choose another host, or say which labels count with `hostSelector`",
    ],
    [
      "none fits a list",
      { hostSelector: { pool: ["c", "d"], gpu: { exists: true }, os: { notIn: ["linux"] } } },
      {},
      "deployment chat: no host has the labels that are asked for\n  got: amd: pool=a, gpu=, os=linux; arm: pool=b, gpu=, os=linux\n  expected: pool in (c, d), gpu there, os not in (linux)\n  to do: choose another host, or say which labels count with `hostSelector`",
    ],
    [
      "the one it names does not fit",
      { host: "arm" },
      { arch: "amd64" },
      "deployment chat: the host does not have the labels that are asked for\n  got: arm: arch=arm64\n  expected: arch=amd64\n  to do: choose another host, or say which labels count with `hostSelector`",
    ],
    [
      "the one it names is not there",
      { host: "box" },
      {},
      "deployment chat: the stack has no such host\n  got: box\n  expected: amd, arm\n  to do: correct `host`",
    ],
  ])("is refused when %s", (_, deployment, selector, message) => {
    expect(thrownBy(() => choose(deployment, selector)).message).toBe(message);
  });
});

describe("a host's labels", () => {
  it("are what it is, as container images call it, and what the stack gives it", () => {
    const stack = stackOf({}, { hosts });
    const own = { os: "linux", accelerator: "cpu" };
    expect(labelsOf({ stack, hosts: known }, "amd")).toEqual({ ...own, arch: "amd64", pool: "a" });
    expect(labelsOf({ stack, hosts: known }, "arm")).toEqual({ ...own, arch: "arm64", pool: "b" });
  });

  it("are those of the stack where both say something", () => {
    const stack = stackOf({}, { hosts: { amd: { connection: "local", labels: { accelerator: "none" } } } });
    expect(labelsOf({ stack, hosts: known }, "amd")).toMatchObject({ accelerator: "none" });
  });
});
