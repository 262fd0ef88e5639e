import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { sha256 } from "../../../src/lib/canonical.js";
import type { InstanceInputs } from "../../../src/resources/instance-inputs.js";
import {
  behindGateway,
  desiredRunner,
  endpointOf,
  probeTarget,
  runnerDefinition,
} from "../../../src/resources/instance-runner.js";
import { instanceOf } from "../support/instances.js";

const folder = "/data/instances/shop+dev+chat-0";
const generationOf = (changes: Partial<InstanceInputs> = {}, salt = "salt") =>
  desiredRunner(instanceOf(changes), folder, salt).generation;

describe("desiredRunner", () => {
  it("is the argument vector with a whole environment, in a folder of its own", () => {
    const runner = desiredRunner(instanceOf(), folder, "salt");
    expect(runner).toEqual({
      generation: runner.generation,
      id: `chat-0.${sha256("shop+dev+chat-0").slice(0, 8)}.${runner.generation}`,
      folder: `${folder}/${runner.generation}`,
      argv: ["/data/bin/engine_1.0", "--port", "14000"],
      environment: {
        PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        HOME: folder,
        LANG: "C.UTF-8",
        LEVEL: "info",
        ENGINE_KEY: "hunter2",
      },
      startSeconds: 300,
      stopSeconds: 10,
    });
    expect(runner.generation).toMatch(/^[0-9a-f]{12}$/);
  });

  it("is told where the token of its Ray cluster is, which the head on the same host has", () => {
    const part = (name: string, ray?: "head" | "member") => ({ name, backendVersion: "1.0", start: "1", ray });
    const subordinates = [part("chat-0.gpu-1.14003", "head"), part("chat-0.gpu-2.14004", "member")];
    const environment = (changes: Partial<InstanceInputs>) =>
      desiredRunner(instanceOf(changes), folder, "salt").environment;
    const path = "/data/instances/shop+dev+chat-0.gpu-1.14003/token";
    expect(environment({ subordinates }).RAY_AUTH_TOKEN_PATH).toBe(path);
    expect(environment({ subordinates: [part("chat-0.gpu-2.14004")] })).not.toHaveProperty("RAY_AUTH_TOKEN_PATH");
  });

  it("lets a secret override a variable, and either what every runner has", () => {
    const { environment } = desiredRunner(
      instanceOf({ env: { LANG: "C", A: "plain" }, secretEnv: { A: "secret" } }),
      folder,
      "salt",
    );
    expect(environment).toMatchObject({ LANG: "C", A: "secret" });
  });
});

describe("a runner behind a gateway", () => {
  const slots: [number, number] = [14_001, 14_002];
  const inputs = instanceOf({ argv: ["/data/bin/engine_1.0", "--port", "{{port}}"], slots });

  it("has the port of its slot in its arguments, and the same name on either", () => {
    const [first, second] = slots.map((port) => desiredRunner(inputs, folder, "salt", port));
    expect(first?.argv).toEqual(["/data/bin/engine_1.0", "--port", "14001"]);
    expect(second?.argv).toEqual(["/data/bin/engine_1.0", "--port", "14002"]);
    expect(first?.generation).toBe(second?.generation);
  });

  it("is another with other slots, and than one that clients ask themselves", () => {
    const names = [slots, [14_001, 14_003] as [number, number], undefined].map(
      (each) => desiredRunner(instanceOf({ argv: inputs.argv, slots: each }), folder, "salt").generation,
    );
    expect(new Set(names).size).toBe(3);
  });

  it("is asked on its own port, on loopback", () => {
    const target = probeTarget(instanceOf({ bindAddress: "0.0.0.0" }));
    expect(behindGateway(target, 14_001)).toMatchObject({ address: "127.0.0.1", port: 14_001 });
    expect(behindGateway(target, undefined)).toBe(target);
  });
});

describe("a generation", () => {
  it.each<Partial<InstanceInputs>>([
    { argv: ["/data/bin/engine_1.0", "--port", "14001"] },
    { argv: ["/data/bin/engine_1.0", "--port 14000"] },
    { env: { LEVEL: "debug" } },
    { env: {} },
    { secretEnv: { ENGINE_KEY: "hunter3" } },
    { secretEnv: {} },
    { installation: "installation-2" },
    { placement: "placement-2" },
    { runtime: "systemd" },
  ])("is another for %j", (change) => {
    expect(generationOf(change)).not.toBe(generationOf());
  });

  it.each<Partial<InstanceInputs>>([
    {},
    { healthPath: "/up" },
    { minHealthySeconds: 1 },
    { stopSeconds: 1 },
    { servedModel: "other" },
    { strategy: { kind: "verify", downtime: "" } },
    { env: {}, secretEnv: { LEVEL: "info", ENGINE_KEY: "hunter2" } },
  ])("is the same for %j, which runs equally", (change) => {
    expect(generationOf(change)).toBe(generationOf());
  });

  it("does not depend on the order in which variables are written", () => {
    const variables = fc.dictionary(fc.constantFrom("A", "B", "C"), fc.string(), { noNullPrototype: true });
    fc.assert(
      fc.property(variables, variables, (env, secretEnv) => {
        const turned = (record: Record<string, string>) => Object.fromEntries(Object.entries(record).reverse());
        expect(generationOf({ env: turned(env), secretEnv: turned(secretEnv) })).toBe(generationOf({ env, secretEnv }));
      }),
    );
  });

  it("shows nothing of its secrets: nobody can compute it without the instance's salt", () => {
    expect(generationOf({}, "one salt")).not.toBe(generationOf({}, "another salt"));
    const { argv, environment: _, ...rest } = desiredRunner(instanceOf(), folder, "salt");
    expect(JSON.stringify([argv, rest])).not.toContain("hunter2");
  });
});

describe("runnerDefinition", () => {
  const record = {
    schemaVersion: 1 as const,
    salt: "salt",
    current: "aaaaaaaaaaaa",
    startSeconds: 60,
    stopSeconds: 5,
    restarts: 0,
    pid: 1,
  };

  it("has the times that the running generation was started with, and for others those that are wanted", () => {
    expect(runnerDefinition(instanceOf(), folder, "aaaaaaaaaaaa", record)).toMatchObject({
      startSeconds: 60,
      stopSeconds: 5,
    });
    for (const [generation, known] of [
      ["bbbbbbbbbbbb", record],
      ["aaaaaaaaaaaa", undefined],
    ] as const)
      expect(runnerDefinition(instanceOf(), folder, generation, known)).toMatchObject({
        startSeconds: 300,
        stopSeconds: 10,
      });
  });
});

describe("probeTarget", () => {
  it("asks where the runner listens, under the model's name, with its key", () => {
    expect(probeTarget(instanceOf())).toEqual({
      address: "127.0.0.1",
      port: 14_000,
      modelPath: "/data/models/a/m.gguf",
      healthPath: "/health",
      model: "chat",
      apiKey: "hunter2",
    });
  });

  it("asks without a key when the deployment has none", () => {
    const { apiKeyVariable: _, ...inputs } = instanceOf();
    expect(probeTarget(inputs).apiKey).toBeUndefined();
  });
});

describe("endpointOf", () => {
  it.each([
    ["127.0.0.1", "http://127.0.0.1:14000/v1"],
    ["0.0.0.0", "http://127.0.0.1:14000/v1"],
    ["::", "http://[::1]:14000/v1"],
    ["192.168.1.5", "http://192.168.1.5:14000/v1"],
  ])("of %s is %s", (bindAddress, endpoint) => {
    expect(endpointOf({ bindAddress, port: 14_000 })).toBe(endpoint);
  });
});
