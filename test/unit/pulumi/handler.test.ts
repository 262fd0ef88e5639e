import { describe, expect, it } from "vitest";
import { z } from "zod";

import { listEntries } from "../../../src/host/journal.js";
import { HostLeases } from "../../../src/host/lease.js";
import { BerthError } from "../../../src/lib/errors.js";
import { ResourceHandler } from "../../../src/pulumi/handler.js";
import { PartialFailure } from "../../../src/pulumi/partial-failure.js";
import { commonInputs } from "../../../src/resources/common.js";
import type { CommonInputs, CommonObserved, ResourceKind } from "../../../src/resources/kind.js";
import { contextOf } from "../support/contexts.js";
import { MemoryHost } from "../support/memory-host.js";

interface NoteInputs extends CommonInputs {
  readonly text: string;
  readonly secret: string;
}

/** How many notes are being written at the same time. */
interface Running {
  now: number;
  most: number;
}

/** A resource that is one file; its text tells how putting it there goes. */
const noteKind = (running: Running): ResourceKind<NoteInputs, CommonObserved> => ({
  kind: "Note",
  inputs: z.strictObject({ ...commonInputs, text: z.string(), secret: z.string() }),
  differences: {
    name: { change: "replace", reason: "" },
    owner: { change: "replace", reason: "" },
    host: { change: "replace", reason: "" },
    text: { change: "replace", reason: "another note" },
    secret: { change: "update", reason: "" },
  },
  uses: ({ text = "" }) => `notes/${text}`,
  secrets: ({ secret }) => [secret],
  async observe({ host }, { text }) {
    return { drift: (await host.readText(`/data/notes/${text}`)) === undefined ? ["is not there"] : [] };
  },
  async converge({ host }, operation, { text, secret }) {
    if (text === "fails-early") throw new BerthError("port-in-use", { what: `cannot, with ${secret}` });
    await operation.step("write", () => host.writeFile(`/data/notes/${text}`, "note"));
    if (text === "fails-late") throw new TypeError(`cannot go on, with ${secret}`);
    if (text === "leaks" && secret === "rotated")
      await operation.step("restart", () => Promise.reject(new TypeError(`ran with hunter2, now ${secret}`)));
    if (text.startsWith("slow")) {
      running.now += 1;
      running.most = Math.max(running.most, running.now);
      await new Promise((resolve) => setTimeout(resolve, 20));
      running.now -= 1;
    }
    if (text === "vanishes") await operation.step("lose", () => host.remove(`/data/notes/${text}`));
  },
  async remove({ host }, operation, { uses }) {
    await operation.step("remove", () => host.remove(`/data/${uses}`));
    if (uses === "notes/sticks") throw new TypeError("cannot remove hunter2");
  },
});

function stage() {
  const line = { cut: false };
  const unreachable = new BerthError("host-unreachable", { what: "it does not answer", got: "connection refused" });
  const host = new MemoryHost(() => (line.cut ? Promise.reject(unreachable) : Promise.resolve()));
  const context = contextOf(host);
  const said: string[] = [];
  const leases = new HostLeases({
    machine: "here",
    process: "1",
    clock: context.clock,
    isAlive: () => Promise.resolve(true),
    newId: () => "id",
    waitSeconds: 1,
    onWait: () => undefined,
  });
  const running = { now: 0, most: 0 };
  const handler = new ResourceHandler(noteKind(running), {
    leases,
    context: (_, redact) => ({ ...context, redact }),
    assertWanted: () => Promise.resolve(),
    say: (subject, text) => said.push(`${subject}: ${text}`),
  });
  return { handler, host, line, said, running, entries: () => listEntries(host, "/data") };
}

function inputsOf(text: string) {
  const host = { name: "local", connection: "local", dataDir: "/data" };
  return { name: "note", owner: "shop/dev", host, text, secret: "hunter2", __provider: "shim" };
}

describe("a resource behind Pulumi's operations", () => {
  it("is created with an id, its inputs, what was seen, and a journal entry that the state does not know yet", async () => {
    const { handler, entries } = stage();
    const { id, outs } = await handler.create(inputsOf("a"));
    expect(id).toBe("local/note");
    expect(outs).toMatchObject({ schemaVersion: 1, text: "a", drift: [] });
    expect(await entries()).toEqual([
      {
        schemaVersion: 1,
        owner: "shop/dev",
        kind: "Note",
        name: "note",
        uses: "notes/a",
        identity: "id-1",
        recorded: false,
      },
    ]);
  });

  it("is known to the state once it was read, and tells what drifted", async () => {
    const { handler, host, said, entries } = stage();
    const { id, outs } = await handler.create(inputsOf("a"));
    await host.remove("/data/notes/a");
    const { props } = await handler.read(id, outs);
    expect(props.drift).toEqual(["is not there"]);
    expect(said).toEqual(["note: drift: is not there"]);
    expect(handler.diff(props, inputsOf("a"))).toMatchObject({ changes: true, replaces: [] });
    expect(await entries()).toMatchObject([{ recorded: true }]);
  });

  it("on a host that does not answer keeps what was known last, is nothing to mend, and is told", async () => {
    const { handler, host, line, said } = stage();
    const { id, outs } = await handler.create(inputsOf("a"));
    expect(outs.reachable).toBe(true);
    await host.remove("/data/notes/a");
    const { props } = await handler.read(id, outs);
    line.cut = true;
    const { props: unreached } = await handler.read(id, props);
    expect(unreached).toEqual({ ...props, reachable: false });
    expect(said.at(-1)).toBe("note: host local does not answer: connection refused; what was known last is kept");
    expect(handler.diff(unreached, inputsOf("a"))).toMatchObject({ changes: false });
    expect(handler.diff(unreached, { ...inputsOf("a"), secret: "rotated" })).toMatchObject({ changes: true });
    line.cut = false;
    expect((await handler.read(id, unreached)).props).toMatchObject({ reachable: true, drift: ["is not there"] });
  });

  it("that failed before anything was touched fails alone: nothing is kept, secrets are masked", async () => {
    const { handler, entries } = stage();
    await expect(handler.create(inputsOf("fails-early"))).rejects.toThrow(/^cannot, with \[secret\]$/);
    expect(await entries()).toEqual([]);
  });

  it("that failed after something was touched is kept with what is true and a masked reason", async () => {
    const { handler, entries } = stage();
    const error: unknown = await handler.create(inputsOf("fails-late")).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PartialFailure);
    expect(error).toMatchObject({
      id: "local/note",
      properties: { text: "fails-late", drift: [], __provider: "shim" },
      reasons: ["cannot go on, with [secret]"],
    });
    expect((await entries()).map(({ open }) => open)).toEqual([undefined]);
  });

  it("that is not as wanted after all has failed, and is kept", async () => {
    const { handler } = stage();
    await expect(handler.create(inputsOf("vanishes"))).rejects.toMatchObject({ reasons: ["note is not there"] });
  });

  it("that failed to go tells why, masked wherever it stands", async () => {
    const { handler, entries } = stage();
    const { outs } = await handler.create(inputsOf("sticks"));
    const error: unknown = await handler.delete(outs).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ message: "cannot remove [secret]" });
    expect(String((error as Error).stack)).not.toContain("hunter2");
    expect(await entries()).toHaveLength(1);
  });

  it("that was replaced goes without taking along what the journal has of its successor", async () => {
    const { handler, entries } = stage();
    const { outs: old } = await handler.create(inputsOf("a"));
    const { outs } = await handler.create(inputsOf("b"));
    await handler.delete(old);
    expect(await entries()).toMatchObject([{ uses: "notes/b" }]);
    expect((await handler.read("local/note", outs)).props.drift).toEqual([]);
  });

  it("that was created anew under the same name is not taken away with the one before it", async () => {
    const { handler, host, entries } = stage();
    const { outs: first } = await handler.create(inputsOf("a"));
    const { outs: second } = await handler.create(inputsOf("a"));
    await handler.delete(first);
    expect(await host.readText("/data/notes/a")).toBe("note");
    expect(await entries()).toMatchObject([{ identity: second.identity }]);
    expect((await handler.read("local/note", second)).props.drift).toEqual([]);
    await handler.delete(second);
    expect(await entries()).toEqual([]);
  });

  it("that another run created anew says so, and is taken back by an update", async () => {
    const { handler } = stage();
    const { outs: first } = await handler.create(inputsOf("a"));
    await handler.create(inputsOf("a"));
    const { props } = await handler.read("local/note", first);
    expect(props.drift).toEqual(["was created anew by another run"]);
    const { outs } = await handler.update(props, inputsOf("a"));
    expect(outs).toMatchObject({ identity: first.identity, drift: [] });
  });

  it("is known to the state once it was updated, though nobody has read it", async () => {
    const { handler, entries } = stage();
    const { outs } = await handler.create(inputsOf("a"));
    await handler.update(outs, { ...inputsOf("a"), secret: "other" });
    expect(await entries()).toMatchObject([{ recorded: true }]);
  });

  it("masks the secret before it in the failure of an update, too", async () => {
    const { handler } = stage();
    const { outs } = await handler.create(inputsOf("leaks"));
    const update = handler.update(outs, { ...inputsOf("leaks"), secret: "rotated" });
    await expect(update).rejects.toMatchObject({ reasons: ["ran with [secret], now [secret]"] });
  });

  it("waits for others that use the same thing of the host", async () => {
    const { handler, running } = stage();
    await Promise.all(["one", "two"].map((name) => handler.create({ ...inputsOf("slow"), name })));
    expect(running.most).toBe(1);
    await Promise.all(["slow", "slower"].map((text) => handler.create({ ...inputsOf(text), name: text })));
    expect(running.most).toBe(2);
  });

  it("that is gone already is deleted without a complaint", async () => {
    const { handler, host } = stage();
    const { outs } = await handler.create(inputsOf("a"));
    host.files.clear();
    await handler.delete(outs);
    expect([...host.files.keys()]).toEqual([]);
  });
});
