import { describe, expect, it } from "vitest";

import { scrapeTargets, type ScrapeProblem } from "../../../src/planner/scrape-targets.js";

type Instance = ScrapeProblem["desired"]["instances"][number];
type Hosts = ScrapeProblem["hosts"];

/** Two hosts by ssh, each in the network of the other. */
const hosts = Object.fromEntries(
  ["one", "two"].map((name) => [
    name,
    { connection: "ssh", ssh: { address: name }, facts: { accelerators: name === "one" ? [{ type: "cuda" }] : [] } },
  ]),
) as unknown as Hosts;

function instance(
  backend: string,
  bindAddress: string,
  changes: { argv?: string[]; env?: object; key?: boolean } = {},
) {
  const { argv = [], env = {}, key = false } = changes;
  return {
    ...{ name: "chat-0", host: { name: "one" }, argv, env },
    placed: { deployment: "chat", bindAddress, port: 14_000, secretEnv: key ? { API_KEY: "key" } : {} },
    release: { backend, apiKeyVariable: "API_KEY", env: {} },
  } as unknown as Instance;
}

function scrape(instances: Instance[], changes: Partial<ScrapeProblem> = {}) {
  const gateway = { host: { name: "one" }, metrics: { address: "127.0.0.1", port: 8405 } };
  const modelGateways = [gateway] as unknown as ScrapeProblem["desired"]["modelGateways"];
  const { targets, leftOut } = scrapeTargets({
    ...{ stack: "prod", hosts, desired: { instances, modelGateways }, from: undefined, exporters: false, ...changes },
  });
  return { at: targets.map(({ targets: [address], labels }) => `${labels.part ?? ""} ${address}`), targets, leftOut };
}

const gateway = "gateway 127.0.0.1:8405";

describe("what Prometheus scrapes", () => {
  it("is named by stack, deployment, instance, host and model", () => {
    const { targets } = scrape([instance("vllm", "0.0.0.0")]);
    const names = { stack: "prod", deployment: "chat", instance: "chat-0", host: "one", model: "chat" };
    expect(targets).toEqual([{ targets: ["one:14000"], labels: { ...names, part: "engine", backend: "vllm" } }]);
  });

  it("is what it reaches from where it runs, and what it does not reach is told", () => {
    const local = [instance("vllm", "127.0.0.1")];
    expect(scrape(local).at).toEqual([]);
    expect(scrape(local).leftOut).toEqual([
      "the gateway on one is reached on its host alone: see `berth metrics --from one` for a Prometheus there",
      "chat-0 is reached on its host alone: see `berth metrics --from one` for a Prometheus there",
    ]);
    expect(scrape(local, { from: "one" }).at).toEqual([gateway, "engine 127.0.0.1:14000"]);
    expect(scrape([instance("vllm", "0.0.0.0")], { from: "two" }).at).toEqual(["engine one:14000"]);
  });

  it.each<[string, Instance, string[]]>([
    ["llama.cpp without --metrics", instance("llama-cpp", "127.0.0.1"), []],
    ["llama.cpp with it", instance("llama-cpp", "127.0.0.1", { argv: ["--metrics"] }), ["engine 127.0.0.1:14000"]],
    [
      "llama.cpp by its variable",
      instance("llama-cpp", "127.0.0.1", { env: { LLAMA_ARG_ENDPOINT_METRICS: "1" } }),
      ["engine 127.0.0.1:14000"],
    ],
    ["llama.cpp that asks for a key", instance("llama-cpp", "127.0.0.1", { argv: ["--metrics"], key: true }), []],
    ["vLLM that asks for a key", instance("vllm", "127.0.0.1", { key: true }), ["engine 127.0.0.1:14000"]],
    ["an engine of which nothing is known", instance("custom", "127.0.0.1", { argv: ["--metrics"] }), []],
  ])("of %s is only what answers", (_what, each, expected) => {
    expect(scrape([each], { from: "one" }).at).toEqual([gateway, ...expected]);
  });

  it("is exporters where somebody says that there are some", () => {
    expect(scrape([], { exporters: true }).at).toEqual(["host one:9100", "devices one:9400", "host two:9100"]);
  });
});
