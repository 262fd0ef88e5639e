import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { canonicalJson, sha256, type Json } from "../../../src/lib/canonical.js";
import { place } from "../../../src/planner/placement.js";
import type { LockedDeployment } from "../../../src/schema/lock.js";
import { stackFile, type StackFile } from "../../../src/schema/stack.js";
import { chat, facts, knownHost, problemOf, stackOf } from "../support/problems.js";
import { writtenStack } from "../support/stacks.js";
import { thrownBy } from "../support/thrown.js";

const twoHosts = {
  hosts: { a: { connection: "local", dataDir: "/a" }, b: { connection: "local", dataDir: "/b" } },
} as const;

describe("place", () => {
  describe("of a deployment whose updates are blue/green", () => {
    const haproxy = { path: "/usr/sbin/haproxy", version: "2.6.12-1+deb12u4" };
    const update = { strategy: "blueGreen" } as const;
    const hosts = { local: knownHost("/d", { facts: { haproxy } }) };

    it("gives two slots beside the stable port, and its host a gateway", () => {
      const placement = place(problemOf(stackOf({ chat: chat({ update }), next: chat() }), { hosts }));
      expect(placement.instances).toMatchObject({
        "chat-0": { port: 14_000, slots: [14_002, 14_003], drainSeconds: 60 },
        "next-0": { port: 14_001 },
      });
      expect(placement.hosts.local?.gateway).toEqual({ haproxy: haproxy.path, runtime: "supervisord" });
    });

    it("gives others neither, whatever their host has", () => {
      const placement = place(problemOf(stackOf({ chat: chat() }), { hosts }));
      expect(placement.hosts.local).not.toHaveProperty("gateway");
      expect(placement.instances["chat-0"]).not.toHaveProperty("slots");
      expect(placement.instances["chat-0"]).not.toHaveProperty("drainSeconds");
    });

    it.each([
      ["the host is to keep free", { reserved: { ramBytes: 3_000_000_000 } }, {}],
      ["the host has", {}, { facts: { haproxy, ramBytes: 5_000_000_000 } }],
    ])("is not chosen where two runners need more memory than %s", (_, entry, changes) => {
      const deployment = chat({ resources: { ramBytes: 3_000_000_000 } });
      const stack = stackOf({ chat: deployment }, { hosts: { local: { connection: "local", ...entry } } });
      const placed = (asked: typeof stack, known: typeof changes) =>
        place(problemOf(asked, { hosts: { local: knownHost("/d", { facts: { haproxy }, ...known }) } }));
      expect(placed(stackOf({ chat: deployment }), {}).instances["chat-0"]).toHaveProperty("slots");
      expect(placed(stack, changes).instances["chat-0"]).not.toHaveProperty("slots");
    });

    it("keeps the slots that were given, while others come and go", () => {
      const before = place(problemOf(stackOf({ chat: chat({ update }), a: chat() }), { hosts }));
      const claims = [before.instances["chat-0"]?.slots ?? []].flat().map((port) => {
        return { port, owner: "shop/dev", instance: "chat-0" };
      });
      const stack = stackOf({ chat: chat({ update }), b: chat(), c: chat({ update }) });
      const used = { local: knownHost("/d", { facts: { haproxy }, listeningPorts: [14_002], claims }) };
      const after = place(problemOf(stack, { hosts: used, previous: before }));
      expect(after.instances["chat-0"]).toEqual(before.instances["chat-0"]);
      const ports = Object.values(after.instances).flatMap(({ port, slots = [] }) => [port, ...slots]);
      expect(new Set(ports).size).toBe(7);
    });
  });

  it("keeps the environment's mirrors, which no release names", () => {
    const mirrors = {
      pip: "https://pip.example/simple",
      downloadBaseUrl: "https://files.example/tools",
      huggingface: "https://hub.example",
      registries: { "docker.io": "registry.example/hub" },
    };
    const problem = problemOf(stackOf({ chat: chat() }, { mirrors }));
    expect(place(problem)).toMatchObject({
      indexUrl: mirrors.pip,
      downloadBaseUrl: mirrors.downloadBaseUrl,
      hubEndpoint: mirrors.huggingface,
      registries: mirrors.registries,
    });
    expect(JSON.stringify(problem.release)).not.toMatch(/pip\.example|files\.example|hub\.example|registry\.example/);
  });

  it("places the one replica of a deployment, with all that its runner needs of this environment", () => {
    const stack = stackOf(
      { chat: chat({ secretEnv: { HF_TOKEN: { secret: "hub" } }, apiKey: { secret: "chat-key" }, bindAddress: "::" }) },
      { mirrors: { pip: "https://pip.example/simple" } },
    );
    expect(place(problemOf(stack))).toEqual({
      indexUrl: "https://pip.example/simple",
      hosts: {
        local: { connection: "local", dataDir: "/srv/local", labels: {}, facts, usage: { listeningPorts: [] } },
      },
      instances: {
        "chat-0": {
          deployment: "chat",
          host: "local",
          devices: [],
          runtime: "supervisord",
          port: 14_000,
          bindAddress: "::",
          secretEnv: { HF_TOKEN: "hub", ENGINE_KEY: "chat-key" },
          minHealthySeconds: 10,
          healthyDeadlineSeconds: 300,
          stopSeconds: 10,
        },
      },
    });
  });

  it("gives a runner the time to stop that the stack says, else what its backend says, else 10 s", () => {
    const seconds = (update: object, release: object) => {
      const problem = problemOf(stackOf({ chat: chat({ update }) }));
      const chatRelease = { ...(problem.release.chat as LockedDeployment), ...release };
      return place({ ...problem, release: { chat: chatRelease } }).instances["chat-0"]?.stopSeconds;
    };
    expect(seconds({ stopTimeout: "1m" }, { stopSeconds: 2 })).toBe(60);
    expect(seconds({}, { stopSeconds: 2 })).toBe(2);
    expect(seconds({}, {})).toBe(10);
  });

  it("names the secret with which a model is fetched, for this environment alone", () => {
    const { stack, ...problem } = problemOf(stackOf({ chat: chat() }));
    const model = { source: "huggingface", repo: "acme/tiny", token: { secret: "hub-token" } } as const;
    const gated = stackOf({ chat: chat({ model }) });
    expect(place({ ...problem, stack: gated }).instances["chat-0"]).toMatchObject({ modelToken: "hub-token" });
    expect(place({ ...problem, stack }).instances["chat-0"]).not.toHaveProperty("modelToken");
  });

  it("names the secrets of registries' logins, and holds no password", () => {
    const registryLogins = { "ghcr.io": { username: "ann", password: { secret: "ghcr-token" } } };
    const { registryLogins: placed } = place(problemOf(stackOf({}, { registryLogins })));
    expect(placed).toEqual({ "ghcr.io": { username: "ann", password: "ghcr-token" } });
    expect(place(problemOf(stackOf({})))).not.toHaveProperty("registryLogins");
  });

  it("writes down that a host pulls no images, and nothing where it does as usual", () => {
    const hosts = {
      a: { connection: "local", images: "neverPull" },
      b: { connection: "local", images: "pull" },
    } as const;
    const { hosts: placed } = place(problemOf(stackOf({}, { hosts })));
    expect(placed.a).toMatchObject({ images: "neverPull" });
    expect(placed.b).not.toHaveProperty("images");
  });

  it("writes down a host's labels and pipx", () => {
    const stack = stackOf({}, { hosts: { a: { connection: "local", labels: { zone: "1" }, pipxPath: "/opt/pipx" } } });
    expect(place(problemOf(stack)).hosts.a).toMatchObject({ labels: { zone: "1" }, pipxPath: "/opt/pipx" });
  });

  it.each([
    ["other", undefined, "supervisord"],
    ["systemd", undefined, "systemd"],
    ["systemd-user", undefined, "systemd"],
    ["systemd", "supervisord", "supervisord"],
  ] as const)("on a host with init system %s and runtime %s chooses %s", (initSystem, runtime, chosen) => {
    const stack = stackOf({ chat: chat() }, { hosts: { local: { connection: "local", ...(runtime && { runtime }) } } });
    const hosts = { local: knownHost("/d", { facts: { initSystem } }) };
    expect(place(problemOf(stack, { hosts })).instances["chat-0"]?.runtime).toBe(chosen);
  });

  it("refuses systemd on a host where it does not run", () => {
    const stack = stackOf({ chat: chat() }, { hosts: { local: { connection: "local", runtime: "systemd" } } });
    const hosts = { local: knownHost("/d", { facts: { initSystem: "other" } }) };
    const error = thrownBy(() => place(problemOf(stack, { hosts })));
    expect([error.code, error.parts.where]).toEqual(["host-unsuitable", "host local"]);
  });
});

describe("place chooses hosts", () => {
  it("the only one, or the one that is named", () => {
    expect(place(problemOf(stackOf({ chat: chat() }))).instances["chat-0"]?.host).toBe("local");
    expect(place(problemOf(stackOf({ chat: chat({ host: "b" }) }, twoHosts))).instances["chat-0"]?.host).toBe("b");
  });

  it("also one with a name that every object has", () => {
    const stack = stackOf({ constructor: chat() }, { hosts: { constructor: { connection: "local" as const } } });
    expect(place(problemOf(stack)).instances["constructor-0"]?.host).toBe("constructor");
  });

  it("the first of several that are as good, and stays there when another becomes as good", () => {
    const before = place(problemOf(stackOf({ chat: chat() }, twoHosts)));
    expect(before.instances["chat-0"]?.host).toBe("a");
    const { b } = twoHosts.hosts;
    const moved = place(problemOf(stackOf({ chat: chat() }, { hosts: { b } }), { previous: before }));
    expect(moved.instances["chat-0"]?.host).toBe("b");
    const back = place(problemOf(stackOf({ chat: chat() }, twoHosts), { previous: moved }));
    expect(back.instances["chat-0"]?.host).toBe("b");
  });

  it("and refuses c when there are a and b", () => {
    const stack = stackOf({ chat: chat({ host: "c" }) }, twoHosts);
    const error = thrownBy(() => place(problemOf(stack)));
    expect([error.code, error.message]).toEqual([
      "stack-inconsistent",
      "deployment chat: the stack has no such host\n  got: c\n  expected: a, b\n  to do: correct `host`",
    ]);
  });

  it("and refuses two with one data directory, however it is written", () => {
    const stack = stackOf(
      {},
      { hosts: { a: { connection: "local", dataDir: "/d/x/" }, b: { connection: "local", dataDir: "/d/./x" } } },
    );
    const error = thrownBy(() => place(problemOf(stack)));
    expect([error.code, error.message]).toEqual([
      "stack-inconsistent",
      [
        "host b: the host a has the same data directory",
        "  got: /d/./x",
        "  expected: a data directory for each host",
        "  to do: give one of them another `dataDir`",
      ].join("\n"),
    ]);
  });
});

describe("place chooses ports", () => {
  const portsOf = (problem: Parameters<typeof place>[0]) =>
    Object.fromEntries(Object.values(place(problem).instances).map(({ deployment, port }) => [deployment, port]));
  const next = (stack: StackFile, before: StackFile) =>
    portsOf(problemOf(stack, { previous: place(problemOf(before)) }));

  it("of the host's range, those that something listens on left out", () => {
    const stack = stackOf(
      { a: chat(), b: chat() },
      { hosts: { local: { connection: "local", portRange: [9000, 9009] } } },
    );
    const hosts = { local: knownHost("/d", { listeningPorts: [9000] }) };
    expect(portsOf(problemOf(stack, { hosts }))).toEqual({ a: 9001, b: 9002 });
  });

  it("but for those that others have on the machine, by whatever name; its own claims are not in its way", () => {
    const stack = stackOf({ x: chat({ host: "a" }) }, twoHosts);
    const theirs = { port: 14_000, owner: "shop/prod", instance: "x-0" };
    const own = { port: 14_001, owner: "shop/dev", instance: "x-0" };
    const device = { device: "GPU-1", owner: "shop/prod", instance: "x-0" };
    const hosts = { a: knownHost("/a", { claims: [own, device] }), b: knownHost("/b", { claims: [theirs] }) };
    expect(portsOf(problemOf(stack, { hosts }))).toEqual({ x: 14_001 });
    expect(portsOf(problemOf(stack, { hosts, owner: "shop/prod" }))).toEqual({ x: 14_000 });
  });

  it("not twice on this machine, also when it is two hosts", () => {
    const stack = stackOf({ x: chat({ host: "a" }), y: chat({ host: "b" }) }, twoHosts);
    expect(portsOf(problemOf(stack))).toEqual({ x: 14_000, y: 14_001 });
  });

  it("and keeps them when a deployment is added before it, or the one before it goes", () => {
    expect(next(stackOf({ a: chat(), b: chat() }), stackOf({ b: chat() }))).toEqual({ a: 14_001, b: 14_000 });
    expect(next(stackOf({ b: chat() }), stackOf({ a: chat(), b: chat() }))).toEqual({ b: 14_001 });
  });

  it("anew when the deployment moves to another host", () => {
    const before = stackOf({ x: chat({ host: "a" }), y: chat({ host: "a" }) }, twoHosts);
    expect(next(stackOf({ y: chat({ host: "b" }) }, twoHosts), before)).toEqual({ y: 14_000 });
  });

  it("as the stack asks, whoever had the port", () => {
    expect(next(stackOf({ a: chat(), b: chat({ port: 14_000 }) }), stackOf({ a: chat() }))).toEqual({
      a: 14_001,
      b: 14_000,
    });
  });
});

describe("place keeps a model on a host once", () => {
  const wheels = (file: string) => chat({ model: { source: "wheels", packages: ["m==1"], file, sha256: sha256("m") } });

  it("for two deployments that write it alike", () => {
    expect(Object.keys(place(problemOf(stackOf({ a: wheels("m.gguf"), b: wheels("m.gguf") }))).instances)).toEqual([
      "a-0",
      "b-0",
    ]);
  });

  it("and refuses two that give it two names", () => {
    const error = thrownBy(() => place(problemOf(stackOf({ a: wheels("m.gguf"), b: wheels("other.gguf") }))));
    expect([error.code, error.message]).toEqual([
      "stack-inconsistent",
      [
        "deployment b: deployment a has the same model on this host as another file",
        "  got: /srv/other.gguf",
        "  expected: /srv/m.gguf",
        "  to do: write the model the same in both",
      ].join("\n"),
    ]);
  });

  it("but lets it have two names on two hosts", () => {
    const stack = stackOf(
      { a: { ...wheels("m.gguf"), host: "a" }, b: { ...wheels("other.gguf"), host: "b" } },
      twoHosts,
    );
    expect(Object.keys(place(problemOf(stack)).instances)).toEqual(["a-0", "b-0"]);
  });
});

describe("place installs a backend version on a host once", () => {
  it("and refuses two deployments that want it in two ways", () => {
    const problem = problemOf(stackOf({ a: chat({ backendVersion: "1.0" }), b: chat({ backendVersion: "1.0" }) }));
    const { b } = problem.release;
    if (b === undefined) throw new Error("the sample has two deployments");
    expect(Object.keys(place(problem).instances)).toEqual(["a-0", "b-0"]);
    const release = { ...problem.release, b: { ...b, install: { method: "manual" as const } } };
    const error = thrownBy(() => place({ ...problem, release }));
    expect([error.code, error.parts.what, error.parts.got]).toEqual([
      "stack-inconsistent",
      "deployment a has engine 1.0 on this host in another way",
      "manual",
    ]);
    expect(error.parts.expected).toMatch(/^pipx, requirements [0-9a-f]{12}$/);
  });
});

describe("place, for every stack that it places", () => {
  /** Stacks without ports asked for twice and models under two names, which are refused. */
  const placeable = writtenStack
    .map((written) => stackFile.parse(written))
    .map((stack) => ({
      ...stack,
      deployments: Object.fromEntries(
        Object.entries(stack.deployments).map(([name, { port: _, ...deployment }]) => [
          name,
          { ...deployment, model: { source: "file" as const, path: "/m.gguf", sha256: sha256("m") } },
        ]),
      ),
    }));
  const reversed = <T>(record: Readonly<Record<string, T>>) => Object.fromEntries(Object.entries(record).reverse());
  const bytes = (value: unknown) => canonicalJson(value as Json);

  it("gives the same bytes for the same problem, in whatever order its keys are", () => {
    fc.assert(
      fc.property(placeable, (stack) => {
        const problem = problemOf(stack);
        const turned = {
          ...problem,
          stack: { ...stack, hosts: reversed(stack.hosts), deployments: reversed(stack.deployments) },
          release: reversed(problem.release),
          hosts: reversed(problem.hosts),
        };
        expect(bytes(place(turned))).toBe(bytes(place(problem)));
      }),
    );
  });

  it("changes nothing when its own result is what was before", () => {
    fc.assert(
      fc.property(placeable, (stack) => {
        const placed = place(problemOf(stack));
        expect(place(problemOf(stack, { previous: placed }))).toEqual(placed);
      }),
    );
  });

  it("leaves every instance as it is when a deployment is added", () => {
    fc.assert(
      fc.property(placeable, fc.constantFrom("0", "m", "zzz"), (stack, name) => {
        const previous = place(problemOf(stack));
        const [host = ""] = Object.keys(stack.hosts);
        const { added } = stackOf(
          { added: chat({ host }) },
          { hosts: { [host]: { connection: "local" } } },
        ).deployments;
        if (added === undefined || name in stack.deployments) return;
        const model = { source: "file" as const, path: "/m.gguf", sha256: sha256("m") };
        const more = { ...stack, deployments: { ...stack.deployments, [name]: { ...added, model } } };
        expect(place(problemOf(more, { previous })).instances).toMatchObject(previous.instances);
      }),
    );
  });
});
