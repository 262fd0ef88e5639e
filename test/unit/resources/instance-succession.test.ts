import { describe, expect, it } from "vitest";

import { claimsOf, instanceKey, listClaims, reserveClaims } from "../../../src/host/claims.js";
import type { HttpAnswer, HttpRequest, RunResult } from "../../../src/host/host.js";
import { readEntry, writeEntry } from "../../../src/host/journal.js";
import { hostInputs, hostKind } from "../../../src/resources/host.js";
import { instanceKind } from "../../../src/resources/instance.js";
import { contextOf, operationOf } from "../support/contexts.js";
import { FakeSupervisor } from "../support/fake-supervisor.js";
import { instanceOf } from "../support/instances.js";
import { MemoryHost } from "../support/memory-host.js";
import { rejectionOf } from "../support/thrown.js";

/** A host on which whatever runs answers, and each instance listens on its port while its claim is there. */
class RunnerHost extends MemoryHost {
  listening = new Set<number>();

  constructor() {
    super();
    for (const path of ["/data/bin/engine_1.0", "/data/models/a/m.gguf"]) this.files.set(path, "");
  }

  override request({ path }: HttpRequest): Promise<HttpAnswer> {
    const bodies: Record<string, string> = {
      "/v1/models": '{"data":[{"id":"chat"}]}',
      "/v1/completions": '{"choices":[{"text":"5"}]}',
    };
    return Promise.resolve({ kind: "answered", status: 200, body: bodies[path] ?? "" });
  }

  override listeningPorts(): Promise<Set<number>> {
    return Promise.resolve(this.listening);
  }

  override run(): Promise<RunResult> {
    return Promise.resolve({ exitCode: 0, stdout: "", stderr: "" });
  }
}

const owner = "shop/dev";
const old = { owner, instance: "old-0" };
const now = new Date("2026-01-01T00:00:00.000Z");
const place = (host: MemoryHost) => ({ host, dataDir: "/data", now, roomOf: () => 80e9 });

/** A host on which `old-0` has port 14000 and is in the state, and what the stack wants there. */
async function stage(inventory: readonly string[] | undefined, key = instanceKey(old)) {
  const host = new RunnerHost();
  const context = contextOf(host, new FakeSupervisor());
  const { operation, steps } = operationOf();
  await instanceKind.converge(context, operation, instanceOf({ name: "old-0", minHealthySeconds: 0 }));
  await writeEntry(host, "/data", { schemaVersion: 1, ...key, identity: "one", recorded: true });
  host.listening.add(14_000);
  const tell = (wanted: readonly string[] | undefined) =>
    hostKind(() => Promise.resolve()).converge(
      context,
      operation,
      hostInputs.parse({ name: "local", owner, host: context.reference, inventory: wanted }),
    );
  await tell(inventory);
  steps.length = 0;
  const create = () => instanceKind.converge(context, operation, instanceOf({ minHealthySeconds: 0 }));
  const claims = () => listClaims(place(host));
  return { host, context, operation, steps, tell, create, claims, entry: () => readEntry(host, "/data", key) };
}

describe("an instance that is to get what another has", () => {
  it("takes the other away first when the stack wants it no more, and starts then", async () => {
    const { create, claims, steps, entry } = await stage(["Instance/chat-0"]);
    await create();
    expect(steps).toEqual([
      "take away old-0, which is not wanted: stop the runner",
      "take away old-0, which is not wanted: remove its files",
      "claim port 14000",
      "start the runner",
      "wait until it answers",
      "record what runs",
    ]);
    expect(await claims()).toEqual([{ port: 14_000, owner, instance: "chat-0" }]);
    expect(await entry()).toBeUndefined();
  });

  it.each([
    ["the stack wants the other as well", ["Instance/chat-0", "Instance/old-0"]],
    ["nobody has told what is wanted", undefined],
  ])("is refused when %s, and nothing is touched", async (_, inventory) => {
    const { create, steps, claims } = await stage(inventory);
    expect((await rejectionOf(create())).code).toBe("already-claimed");
    expect(steps).toEqual([]);
    expect(await claims()).toEqual([{ port: 14_000, ...old }]);
  });

  it("leaves the other alone when it is wanted again", async () => {
    const { create, tell, steps, entry } = await stage(["Instance/chat-0"]);
    expect(await entry()).toMatchObject({ unwanted: true });
    await tell(["Instance/chat-0", "Instance/old-0"]);
    expect((await rejectionOf(create())).code).toBe("already-claimed");
    expect(steps).toEqual([]);
  });

  it("takes nobody away when something else is in its way too", async () => {
    const { host, create, steps } = await stage(["Instance/chat-0"]);
    await host.remove("/data/models/a/m.gguf");
    expect((await rejectionOf(create())).code).toBe("file-not-found");
    expect(steps).toEqual([]);
  });

  it("leaves alone what is not wanted, and not in its way", async () => {
    const { context, operation, claims } = await stage(["Instance/chat-0"]);
    const elsewhere = instanceOf({ port: 14_001, minHealthySeconds: 0 });
    await instanceKind.converge(context, operation, elsewhere);
    expect(await claims()).toContainEqual({ port: 14_000, ...old });
  });

  it("never takes away what another stack has", async () => {
    const { host, create, context, operation } = await stage([]);
    await instanceKind.remove(context, operation, instanceKey(old));
    const theirs = { owner: "shop/prod", instance: "old-0" };
    await reserveClaims(place(host), claimsOf(theirs, { port: 14_000 }));
    await writeEntry(host, "/data", {
      ...{ schemaVersion: 1, ...instanceKey(theirs), identity: "one", recorded: true, unwanted: true },
    });
    expect((await rejectionOf(create())).code).toBe("already-claimed");
  });
});
