import { readFileSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { sumHostBytes } from "../../src/health/used-memory.js";
import { baseEnvironment } from "../../src/host/environment.js";
import { LocalHost } from "../../src/host/local.js";
import { estimateLlama } from "../../src/model/llama-estimate.js";
import { ownBytes } from "../../src/model/memory.js";
import { findUsedMemory } from "../../src/resources/instance-usage.js";
import { readHeaderOf } from "../support/gguf-file.js";
import { hasLlamaBuilds } from "../support/llama-builds.js";
import { LlamaTools } from "../support/llama-report.js";
import { fetchQuickstartModel } from "../support/quickstart-model.js";
import { contextOf } from "../unit/support/contexts.js";

const isPossible = process.env.BERTH_TEST_ALL === "1" || (hasLlamaBuilds() && process.platform === "linux");
if (!isPossible) console.warn("skipped: there are no builds of llama-server beside this checkout");

const contextLength = 2048;
/** The program itself, its libraries and what it keeps beside its buffers. */
const mostOverheadBytes = 128 * 2 ** 20;

/** As the kernel tells it of one process; with what it maps of the model's file. */
function residentBytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kibibytes) * 1024;
}

describe.runIf(isPossible)("what a real llama-server uses", () => {
  const context = contextOf(new LocalHost("local", baseEnvironment(process.env)));
  let tools: LlamaTools;
  let model: string;

  beforeAll(async () => {
    model = await fetchQuickstartModel();
    tools = await LlamaTools.unpack("b11435");
  });
  afterAll(() => tools.dispose());

  async function serve() {
    const server = await tools.serve(model, ["-c", String(contextLength), "--fit", "off"]);
    const body = JSON.stringify({ prompt: "1, 2, 3, 4,", max_tokens: 4 });
    const response = await fetch(`http://127.0.0.1:${server.port}/v1/completions`, { method: "POST", body });
    expect(response.status).toBe(200);
    return server;
  }

  it("is what the kernel tells of it, also when another server maps the same model, and near what was estimated", async () => {
    const { pid } = await serve();
    const alone = await findUsedMemory(context, { runtime: "supervisord", devices: undefined, pid });
    expectNear(alone?.hostBytes, residentBytes(pid));
    await serve();
    const beside = await findUsedMemory(context, { runtime: "supervisord", devices: undefined, pid });
    expectNear(beside?.hostBytes, residentBytes(pid));
    expectNear(beside?.hostBytes, alone?.hostBytes);

    const { places } = estimateLlama(
      { header: await readHeaderOf(model), where: model },
      { remote: false, contextLength },
    );
    const [host] = places;
    if (host === undefined) throw new Error("nothing was estimated");
    expect(alone?.hostBytes).toBeGreaterThan(ownBytes(host) * 0.95);
    expect(alone?.hostBytes).toBeLessThan(ownBytes(host) + mostOverheadBytes);
  });

  it("is nothing when it does not run", async () => {
    expect(await findUsedMemory(context, { runtime: "supervisord", devices: undefined, pid: 0 })).toBeUndefined();
    expect(sumHostBytes([])).toBeUndefined();
  });
});

function expectNear(bytes: number | undefined, told: number | undefined): void {
  expect(Math.abs((bytes ?? 0) / (told ?? 0) - 1)).toBeLessThan(0.02);
}
