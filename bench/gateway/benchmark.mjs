import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { sha256 } from "../../dist/lib/canonical.js";
import { modelGatewayFiles, textsOf } from "../../dist/runtime/model-gateway-configuration.js";
import { round, summarise } from "../summary.mjs";

const engine = fileURLToPath(new URL("engine.mjs", import.meta.url));
const key = "benchmark-key";
const pairs = 4000;
const kept = { requests: 10_000, connections: 16 };
const limits = { addedMilliseconds: 1, errors: 0 };
const body = JSON.stringify({ messages: [{ role: "user", content: "x".repeat(2000) }], model: "chat" });

/**
 * How much longer a request takes through the gateway that routes by model than to the engine itself, and whether many on
 * connections that are kept are all answered. The engine answers at once: whatever is between is the gateway's.
 *
 * @param {{ report: (line: string) => void }} options
 * @returns {Promise<{ failures: string[] }>} the result; `failures` tells the limits that do not hold
 */
export async function measure({ report }) {
  const folder = await mkdtemp(join(tmpdir(), "berth-bench-"));
  const started = [];
  try {
    const [direct, gateway, metrics] = await Promise.all([freePort(), freePort(), freePort()]);
    started.push(start(process.execPath, [engine, String(direct)], folder));
    await writeFiles(folder, settingsOf({ direct, gateway, metrics }));
    started.push(start("haproxy", ["-db", "-f", "haproxy.cfg"], join(folder, "large")));
    started.push(start("haproxy", ["-db", "-f", "haproxy.cfg"], folder));
    await untilAnswered(gateway);
    const milliseconds = await measurePairs({ direct, gateway });
    const errors = await countErrors(gateway);
    const added = milliseconds.gateway.map((each, index) => each - milliseconds.direct[index]);
    const summary = {
      direct: quantiles(milliseconds.direct),
      gateway: quantiles(milliseconds.gateway),
      added: quantiles(added),
      kept: { ...kept, errors },
    };
    report(`direct ${summary.direct.p50} ms, gateway ${summary.gateway.p50} ms, added ${summary.added.p50} ms`);
    const failures = [
      ...(summary.added.p50 > limits.addedMilliseconds
        ? [`added: ${summary.added.p50} ms; expected at most ${limits.addedMilliseconds}`]
        : []),
      ...(errors > limits.errors ? [`${errors} of ${kept.requests} requests failed; expected none`] : []),
    ];
    return { pairs, kept, summary, range: { added: summarise(added) }, limits, failures };
  } finally {
    for (const child of started) child.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
}

/** As the product writes it, with a key, an alias and two replicas' worth of rules. */
function settingsOf({ direct, gateway, metrics }) {
  const server = (instance) => ({ instance, address: "127.0.0.1", port: direct });
  const target = (name) => ({
    servers: [server(`${name}-0`), server(`${name}-1`)],
    ...{ servedModel: name, healthPath: "/health", minHealthySeconds: 0, drainSeconds: 5 },
  });
  return {
    listen: { address: "127.0.0.1", port: gateway },
    metrics: { address: "127.0.0.1", port: metrics },
    routes: { chat: { chat: 100 }, code: { code: 100 }, both: { chat: 90, code: 10 } },
    targets: { chat: target("chat"), code: target("code") },
    keys: { bench: { requestsPerMinute: 1_000_000 } },
    keyDigests: { bench: sha256(key) },
    ...{ apiKeys: {}, queueSeconds: 30, maxBodyBytes: 33_554_432, accessLog: true },
  };
}

async function writeFiles(folder, settings) {
  for (const [file, text] of textsOf(modelGatewayFiles(settings, undefined))) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), text);
  }
}

/** One after the other on a connection of each, each pair in the other order. */
async function measurePairs(ports) {
  const agents = Object.fromEntries(
    Object.keys(ports).map((side) => [side, new Agent({ keepAlive: true, maxSockets: 1 })]),
  );
  const milliseconds = { direct: [], gateway: [] };
  for (let pair = -500; pair < pairs; pair += 1) {
    for (const side of pair % 2 === 0 ? ["direct", "gateway"] : ["gateway", "direct"]) {
      const begun = performance.now();
      await ask(ports[side], agents[side]);
      if (pair >= 0) milliseconds[side].push(performance.now() - begun);
    }
  }
  for (const agent of Object.values(agents)) agent.destroy();
  return milliseconds;
}

async function countErrors(port) {
  const agent = new Agent({ keepAlive: true, maxSockets: kept.connections });
  let [left, errors] = [kept.requests, 0];
  const work = async () => {
    while ((left -= 1) >= 0) await ask(port, agent).catch(() => (errors += 1));
  };
  await Promise.all(Array.from({ length: kept.connections }, work));
  agent.destroy();
  return errors;
}

function ask(port, agent) {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${key}`,
      "content-type": "application/json",
      "content-length": body.length,
    };
    const asked = request({ port, agent, path: "/v1/chat/completions", method: "POST", headers }, (answer) => {
      answer.resume();
      answer.on("end", () => (answer.statusCode === 200 ? resolve() : reject(new Error(`HTTP ${answer.statusCode}`))));
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

async function untilAnswered(port) {
  const agent = new Agent();
  for (let tries = 0; tries < 100; tries += 1) {
    if (
      await ask(port, agent).then(
        () => true,
        () => false,
      )
    )
      return;
    await delay(100);
  }
  throw new Error("the gateway does not answer");
}

function start(command, args, cwd) {
  return spawn(command, args, { cwd, stdio: "ignore" });
}

function quantiles(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => round(sorted[Math.floor(share * (sorted.length - 1))], 3);
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
