import { describe, expect, it } from "vitest";

import { bindDeployment, type Binding } from "../../../src/planner/binding.js";
import { chat, stackOf } from "../support/problems.js";
import { thrownBy } from "../support/thrown.js";

function bind(changes: Parameters<typeof chat>[0], binding: Partial<Binding>) {
  const deployment = stackOf({ chat: chat(changes) }).deployments.chat;
  if (deployment === undefined) throw new Error("no deployment");
  const none = { selector: { pool: "a" }, accelerators: new Map([["box", 0]]) };
  const { hostSelector, bindAddress, port } = bindDeployment("chat", deployment, { ...none, ...binding });
  return { hostSelector, bindAddress, port };
}

describe("a bound deployment", () => {
  it("asks for the labels that were decided, and keeps what nothing binds", () => {
    expect(bind({ port: 9000 }, {})).toEqual({ hostSelector: { pool: "a" }, bindAddress: "127.0.0.1", port: 9000 });
  });

  it("has the port and address that its parameters give", () => {
    const bound = { hostSelector: { pool: "a" }, bindAddress: "10.0.0.1", port: 9000 };
    expect(bind({}, { address: "10.0.0.1", port: 9000 })).toEqual(bound);
    expect(bind({ port: 9000, bindAddress: "10.0.0.1" }, { address: "10.0.0.1", port: 9000 })).toEqual(bound);
  });

  it("is refused when its parameters give a name for an address: exposure is judged by addresses", () => {
    expect(thrownBy(() => bind({}, { address: "localhost" })).message).toContain(
      "the parameters give an address that is none\n  got: localhost",
    );
  });

  it("is refused when its parameters ask for more devices than one of its hosts has", () => {
    const on = (...counts: number[]) => new Map(counts.map((count, index) => [`box${index}`, count]));
    const error = thrownBy(() => bind({}, { tensorParallelSize: 4, accelerators: on(8, 2) }));
    expect([error.code, error.parts.what, error.parts.got, error.parts.expected]).toEqual([
      "host-unsuitable",
      "the parameters ask for more devices than the host box1 has",
      "tensor parallel size 4",
      "at most 2",
    ]);
    expect(() => bind({}, { tensorParallelSize: 2, accelerators: on(2, 0) })).not.toThrow();
  });

  it.each([
    [{ port: 9001 }, { port: 9000 }, "port", "9000", "9001"],
    [{ bindAddress: "10.0.0.2" }, { address: "10.0.0.1" }, "bindAddress", "10.0.0.1", "10.0.0.2"],
  ])("is refused when %j and its parameters %j contradict each other", (changes, binding, field, got, expected) => {
    expect(thrownBy(() => bind(changes, binding)).message).toBe(
      `deployment chat: the parameters and \`${field}\` say different things\n  got: ${got}\n  expected: ${expected}\n  to do: give it once: as \`${field}\``,
    );
  });
});
