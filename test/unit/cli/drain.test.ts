import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { drain, drainText } from "../../../src/cli/drain.js";
import { plan } from "../../../src/cli/plan.js";
import { lock } from "../../../src/cli/lock.js";
import { testProject } from "../support/workplaces.js";
import { rejectionOf, thrownBy } from "../support/thrown.js";

const pulumi = "name: shop\nruntime: nodejs\n";
const text = `# Ours
schemaVersion: 1
hosts:
  # The first
  a: { connection: local, dataDir: a } # by the window
  b:
    connection: local
  gpu-[01-02]: { connection: ssh }
`;

describe("drainText", () => {
  it("changes one host, and nothing else of the file", () => {
    expect(drainText(text, "a", true)).toBe(text.replace("dataDir: a }", "dataDir: a, drain: true }"));
    expect(drainText(text, "b", true)).toBe(text.replace("    connection", "    drain: true\n    connection"));
    expect(drainText(drainText(text, "b", true), "b", false)).toBe(text);
  });

  it("leaves indents, quotes and empty lines as they were written", () => {
    const wide = `hosts:\n    a:\n        labels: {rack: 'r1'}   # old\n\n\n        connection: "ssh"\n`;
    expect(drainText(wide, "a", true)).toBe(wide.replace("labels", "drain: true\n        labels"));
    expect(drainText(`hosts: {a: {connection: 'local'}}\n`, "a", true)).toBe(
      `hosts: {a: {connection: 'local', drain: true}}\n`,
    );
  });

  it.each(["gpu-01", "c", "hosts"])("refuses %s, which the file does not have by its own name", (host) => {
    const error = thrownBy(() => drainText(text, host, true));
    expect([error.code, error.parts.expected]).toEqual(["usage", "a or b or gpu-[01-02]"]);
  });
});

describe("berth drain", () => {
  const engine = `schemaVersion: 1
name: engine
runCommand: serve
versions: { "1.0": { install: { manual: {} } } }
`;
  const stack = `schemaVersion: 1
hosts:
  a: { connection: local, dataDir: a }
  b: { connection: local, dataDir: b }
deployments:
  chat:
    backend: engine
    backendVersion: "1.0"
    model: { source: file, path: /m.bin, sha256: ${"a".repeat(64)} }
`;

  it("writes it into the stack file, tells what moves where, and takes it back", async () => {
    const project = await testProject({
      "Pulumi.yaml": pulumi,
      "backends/engine.yaml": engine,
      "stacks/dev.yaml": stack,
    });
    await lock(project.workplace, "dev", {});
    await drain(project.workplace, "a", { stack: "dev" });
    expect(project.printed.join("\n")).toMatch(/ chat-0 +a +b/);
    expect(await readFile(join(project.workplace.root, "stacks/dev.yaml"), "utf8")).toContain(
      "dataDir: a, drain: true }",
    );
    await drain(project.workplace, "a", { stack: "dev", undo: true });
    expect(await readFile(join(project.workplace.root, "stacks/dev.yaml"), "utf8")).toBe(stack);
  });

  it("leaves the file as it is when something would have no place", async () => {
    const named = stack.replace("backend: engine", "backend: engine\n    host: a");
    const project = await testProject({
      "Pulumi.yaml": pulumi,
      "backends/engine.yaml": engine,
      "stacks/dev.yaml": named,
    });
    const error = await rejectionOf(drain(project.workplace, "a", { stack: "dev" }));
    expect(error.parts.what).toBe("the host is drained");
    expect(await readFile(join(project.workplace.root, "stacks/dev.yaml"), "utf8")).toBe(named);
  });

  it("is shown before by a plan, which writes nothing and tells by its exit code whether replicas would move", async () => {
    const project = await testProject({
      "Pulumi.yaml": pulumi,
      "backends/engine.yaml": engine,
      "stacks/dev.yaml": stack,
    });
    await lock(project.workplace, "dev", {});
    const written = await readFile(join(project.workplace.root, "stacks/dev.lock.yaml"), "utf8");
    expect(await plan(project.workplace, "dev", { format: "text", drain: ["a"] })).toBe(2);
    expect(project.printed.join("\n")).toMatch(/ chat-0 +a +b/);
    expect(await plan(project.workplace, "dev", { format: "text", with: ["c=a"] })).toBe(0);
    expect(project.printed.at(-1)).toBe("no replica moves");
    const error = await rejectionOf(plan(project.workplace, "dev", { format: "text", without: ["a", "b"] }));
    expect(error.parts.what).toBe("no host would be left");
    expect(await readFile(join(project.workplace.root, "stacks/dev.lock.yaml"), "utf8")).toBe(written);
    expect(await readFile(join(project.workplace.root, "stacks/dev.yaml"), "utf8")).toBe(stack);
  });
});
