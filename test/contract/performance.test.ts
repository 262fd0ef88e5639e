import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { measurePerformance } from "../../src/health/performance.js";
import type { Host } from "../../src/host/host.js";
import { LocalHost } from "../../src/host/local.js";
import { SshHost } from "../../src/host/ssh.js";
import { systemClock } from "../../src/lib/clock.js";
import { createRedact } from "../../src/lib/redact.js";
import { gates } from "../../src/schema/gates.js";
import { SshServer, whyNoSshd } from "../support/ssh-server.js";

const parallel = 40;
const event = (data: object) => `data: ${JSON.stringify(data)}\n\n`;

/** An engine that ends no answer before it has begun so many: who asks fewer at a time waits for ever. */
function startEngine() {
  const begun: ServerResponse[] = [];
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(event({ choices: [{ text: "first" }] }));
    if (begun.push(response) < parallel) return;
    for (const each of begun.splice(0)) {
      each.write(event({ choices: [{ text: " last" }] }) + event({ choices: [], usage: { completion_tokens: 3 } }));
      each.end("data: [DONE]\n\n");
    }
  });
  server.listen(0, "127.0.0.1");
  return server;
}

async function measure(host: Host) {
  const server = startEngine();
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const target = { address: "127.0.0.1", port, healthPath: "/health", model: "chat" };
  const gate = gates.parse({ performance: { chat: { requests: 2 * parallel, parallel } } }).performance?.chat;
  const { signal } = new AbortController();
  try {
    return await measurePerformance(target, gate ?? expect.fail(), {
      send: (request) => host.request(request),
      ...{ clock: systemClock, signal, redact: createRedact([]), salt: "salt" },
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const all = { requests: 2 * parallel, failures: 0, tokens: 6 * parallel, reason: "" };

describe("measuring a model on this machine", () => {
  it("asks as many at a time as it is told, and takes answers as they come", async () => {
    const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/" });
    expect(await measure(host)).toMatchObject(all);
  });
});

const isLeftOut = whyNoSshd !== undefined && process.env.BERTH_TEST_ALL !== "1";

describe.skipIf(isLeftOut)(`measuring a model over ssh${isLeftOut ? ` (left out: ${whyNoSshd})` : ""}`, () => {
  let server: SshServer;
  let host: SshHost;
  beforeAll(async () => {
    server = await SshServer.start();
    host = new SshHost(server.target(), server.settings());
  });
  afterAll(async () => {
    await host.close();
    await server.dispose();
  });

  it("asks as many at a time as it is told, more than sshd gives sessions to a connection", async () => {
    expect(await measure(host)).toMatchObject(all);
  });
});
