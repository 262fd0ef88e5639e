import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { createContent } from "../../../src/install/content.js";
import { createLockEdges } from "../../../src/lock/edges.js";
import type { HostEntry } from "../../../src/schema/stack.js";
import { rejectionOf } from "../support/thrown.js";
import { ToolHost } from "../support/tool-host.js";

const sha256 = "a".repeat(64);
const wanted = `Basic ${Buffer.from("ann:hunter2").toString("base64")}`;

describe("an index that asks for user and password", () => {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    if (request.headers.authorization !== wanted) return void response.writeHead(401).end();
    response.end(`<a href="model-1.0-py3-none-any.whl#sha256=${sha256}">model</a>`);
  });
  const index = (credentials: string) =>
    `http://${credentials}127.0.0.1:${(server.address() as AddressInfo).port}/simple`;
  const find = (defaultIndex: string) =>
    createLockEdges({
      openHost: ({ name }) => new LocalHost(name, { PATH: "/nowhere", HOME: "/" }),
      defaultIndex,
      root: "/nowhere",
      workDir: "/nowhere",
      content: createContent("/nowhere", "/nowhere"),
      declared: [],
      environment: {},
      now: () => new Date(),
      findSecret: () => Promise.resolve(undefined),
    }).findWheel("model", "1.0", undefined);

  beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  it("gets them from its address in a header", async () => {
    expect(await find(index("ann:hunter2@"))).toEqual({ sha256 });
    expect(asked.at(-1)?.url).toBe("/simple/model/");
  });

  it("is told by its bare address when it refuses", async () => {
    const error = await rejectionOf(find(index("ann:hunter3@")));
    expect(error.code).toBe("index-unreachable");
    expect(error.message).toContain(`${index("")}/model/: the package index did not answer`);
    expect(error.message).toContain("HTTP status 401");
    expect(error.message).not.toContain("hunter3");
  });
});

describe("a host that a lock is solved for", () => {
  const system = {
    look: "uname Linux 6.1.0 x86_64\nuser ada\nhome /home/ada\ncpus 8\nramKib 1000\ndf /dev/vda1 1000 1 999 1% /",
    "docker version --format {{json .}}": { exitCode: 1, stdout: "", stderr: "Cannot connect" },
    "nvidia-smi -q -x": { exitCode: 9, stdout: "no driver", stderr: "" },
  };
  const edges = createLockEdges({
    openHost: () => new ToolHost(system),
    defaultIndex: undefined,
    root: "/nowhere",
    workDir: "/nowhere",
    findSecret: () => Promise.resolve(undefined),
    content: createContent("/nowhere", "/nowhere"),
    declared: [],
    environment: {},
    now: () => new Date(),
  });
  const entry: HostEntry = { connection: "local", dataDir: "data", labels: {}, portRange: [14_000, 14_999] };

  it("is known with its data directory as it is written, and warned of where its accelerators are not known", async () => {
    const { dataDir, facts, warnings } = await edges.knowHost("box", entry);
    expect(dataDir).toBe("data");
    expect(facts).toMatchObject({ kernel: "6.1.0", accelerators: [] });
    expect(warnings).toEqual(["`nvidia-smi -q -x` failed with exit code 9: no driver"]);
  });
});
