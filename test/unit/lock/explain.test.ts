import { describe, expect, it } from "vitest";

import { formatExplanation } from "../../../src/cli/explain.js";
import { explainPlacement } from "../../../src/lock/explain.js";
import type { KnownHost } from "../../../src/planner/host-choice.js";
import type { WrittenStack } from "../support/stacks.js";
import { catalogueOf, engineBackend } from "../support/catalogues.js";
import { fakeEdges } from "../support/edges.js";
import { gpuHost } from "../support/gpus.js";
import { chat, knownHost, stackOf } from "../support/problems.js";

const gib = 2 ** 30;
const pipx = { package: "engine", requirements: "engine/2.0.txt", launcher: "engine/launcher.py" };
const install = { pipx: { ...pipx, acceleratorTypes: ["cuda" as const, "cpu" as const] } };
const catalogue = catalogueOf([engineBackend({ versions: { "2.0": { install } } })]);

type Deployments = Readonly<Record<string, Parameters<typeof chat>[0]>>;

function explained(
  known: Readonly<Record<string, KnownHost>>,
  deployments: Deployments,
  name: string,
  hosts: WrittenStack["hosts"] = {},
) {
  const edges = { ...fakeEdges(), knowHost: (host: string) => Promise.resolve(known[host] ?? knownHost("/d")) };
  const entries = Object.keys(known).map((host) => [host, { connection: "local", dataDir: `/${host}` }] as const);
  const stack = stackOf(Object.fromEntries(Object.entries(deployments).map(([each, fields]) => [each, chat(fields)])), {
    hosts: { ...Object.fromEntries(entries), ...hosts },
  });
  return explainPlacement({ owner: "shop/dev", stack, catalogue, previous: undefined }, name, edges);
}

const needs = (size: number) => ({ resources: { vramBytes: size * gib } });

describe("explainPlacement", () => {
  it("tells where replicas are and what they take, and of each other host what speaks against it", async () => {
    const drained = { connection: "local", dataDir: "/e", drain: true } as const;
    const other = { connection: "local", dataDir: "/f", labels: { pool: "other" } } as const;
    const known = { a: gpuHost(2), b: gpuHost(1, {}, { memoryBytes: 24 * gib }), c: knownHost("/c"), d: gpuHost(1) };
    const deployments = { chat: { ...needs(60), hostSelector: { pool: { notIn: ["other"] } } } };
    const made = await explained({ ...known, e: gpuHost(1), f: gpuHost(1) }, deployments, "chat", {
      e: drained,
      f: other,
    });
    expect(made.replicas).toEqual([{ name: "chat-0", where: "a GPU-0", takes: "1 device 60.0 GiB, as stated" }]);
    expect(Object.fromEntries(made.elsewhere.map(({ host, why }) => [host, why]))).toEqual({
      b: "it has 1 × 24.0 GiB; needed are 1 × 60.0 GiB (stated1)",
      c: "it is of another kind: linux/x64 with cpu",
      d: "it fits there too, and is no better",
      e: "it is drained",
      f: "its labels do not fit: pool not in (other)",
    });
    expect(formatExplanation(made)).toMatch(/ chat-0 +a GPU-0 +1 device 60\.0 GiB, as stated/);
  });

  it("tells when others would have to move or to go", async () => {
    const known = { a: gpuHost(1), b: gpuHost(1) };
    const move = await explained({ ...known, c: gpuHost(1) }, { chat: needs(60), next: needs(60) }, "chat");
    expect(move.elsewhere).toContainEqual({ host: "b", why: "it fits there when others move: next-0 to a" });
    const pinned = { host: "b", ...needs(60) };
    const go = await explained(known, { chat: { ...needs(60), placement: { priority: 1 } }, next: pinned }, "chat");
    expect(go.elsewhere).toContainEqual({ host: "b", why: "it fits there when next goes" });
  });

  it("tells of a deployment without a place what it lacks, and of each host", async () => {
    const made = await explained({ a: gpuHost(1) }, { chat: needs(90) }, "chat");
    expect(made.replicas).toEqual([]);
    expect(made.problem).toContain("deployment chat: replica 0 has no place");
    expect(made.elsewhere).toMatchObject([{ host: "a" }]);
  });

  it("refuses a deployment that the stack does not have", async () => {
    await expect(explained({ a: gpuHost(1) }, { chat: {} }, "chatt")).rejects.toMatchObject({
      code: "usage",
      parts: { got: "chatt", expected: "chat" },
    });
  });
});
