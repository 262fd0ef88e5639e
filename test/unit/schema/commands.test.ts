import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { fillPlaceholders, placeSetup, placeVerify } from "../../../src/schema/commands.js";
import { parseYaml } from "../../../src/schema/document.js";
import { stackFile } from "../../../src/schema/stack.js";
import { thrownBy } from "../support/thrown.js";

const stackOf = (host: string, deployment = "", defaults = "") =>
  parseYaml(
    [
      "schemaVersion: 1",
      ...(defaults === "" ? [] : [`hostDefaults: { ${defaults} }`]),
      `hosts: { a: { connection: local${host} } }`,
      `deployments: { chat: { backend: x, model: { source: file, path: /m, sha256: ${"a".repeat(64)} }${deployment} } }`,
    ].join("\n"),
    "stacks/dev.yaml",
    stackFile,
  );
const setupOf = (host: string, defaults = "") => placeSetup(stackOf(host, "", defaults).hosts.a?.setup ?? {});
const verifyOf = (deployment: string) => placeVerify(stackOf("", deployment).deployments.chat?.verify ?? {});

describe("setup commands", () => {
  it("are a text, or say how they are undone, how long they may take and which secrets they get", () => {
    const long = '{ create: "apt", delete: "apt remove", timeout: 1h, secretEnv: { TOKEN: { secret: hub } } }';
    expect(setupOf(`, setup: { short: "sysctl", long: ${long} }`)).toEqual({
      short: { create: "sysctl", timeoutSeconds: 1800 },
      long: { create: "apt", delete: "apt remove", timeoutSeconds: 3600, secretEnv: { TOKEN: "hub" } },
    });
  });

  it("of a host stand beside those that hosts have in common; of two with one name the host's own counts", () => {
    const setup = setupOf(", setup: { own: b, both: c }", "setup: { common: a, both: z }");
    expect(Object.entries(setup).map(([name, { create }]) => [name, create])).toEqual([
      ["common", "a"],
      ["both", "c"],
      ["own", "b"],
    ]);
  });
});

describe("verify commands", () => {
  it("run on the instance's host for five minutes at most, unless they say otherwise", () => {
    expect(verifyOf(', verify: { smoke: "curl", far: { command: "k6", on: local, timeout: 90s } }')).toEqual({
      smoke: { command: "curl", on: "host", timeoutSeconds: 300 },
      far: { command: "k6", on: "local", timeoutSeconds: 90 },
    });
  });

  it("have their placeholders filled in, and nothing else of them is touched", () => {
    const values = { endpoint: "http://[::1]:1/v1", model_name: "chat", port: "1" };
    const filled = fillPlaceholders("curl {{endpoint}}/models {{ port }} $HOME ${A} '{\"a\":1}'", values);
    expect(filled).toBe("curl http://[::1]:1/v1/models 1 $HOME ${A} '{\"a\":1}'");
  });

  it("may hold templates of others in double braces", () => {
    const command = `docker ps --format '{{.Names}} {{json .}} {{- end}}' | grep {{model_name}}`;
    expect(verifyOf(`, verify: { a: ${JSON.stringify(command)} }`)).toMatchObject({ a: { command } });
    const filled = fillPlaceholders(command, { endpoint: "e", model_name: "chat", port: "1" });
    expect(filled).toBe(command.replace("{{model_name}}", "chat"));
  });

  it("without placeholders stay as they are", () => {
    const values = { endpoint: "e", model_name: "m", port: "p" };
    const text = fc.string().filter((command) => !command.includes("{{"));
    fc.assert(fc.property(text, (command) => fillPlaceholders(command, values) === command));
  });
});

describe("refused are", () => {
  it.each([
    ["an empty command", ', setup: { a: "" }', "", "hosts.a.setup.a"],
    ["a name that is a path", ", setup: { ../a: x }", "", "hosts.a.setup"],
    ["a time without unit", ', setup: { a: { create: x, timeout: "9" } }', "", "hosts.a.setup.a.timeout"],
    ["no time at all", ", setup: { a: { create: x, timeout: 0s } }", "", "hosts.a.setup.a.timeout"],
    ["a month", "", ", verify: { a: { command: x, timeout: 720h } }", "deployments.chat.verify.a.timeout"],
    ["a secret in plain text", ", setup: { a: { create: x, secretEnv: { T: x } } }", "", "hosts.a.setup.a.secretEnv.T"],
    ["an unknown placeholder", "", ', verify: { a: "{{url}}" }', "deployments.chat.verify.a"],
    ["a place that there is not", "", ", verify: { a: { command: x, on: moon } }", "deployments.chat.verify.a.on"],
    ["a network's name with a slash", ", networks: { a/b: {} }", "", "hosts.a.networks"],
    ["a driver with a blank", ', volumes: { a: { driver: "x y" } }', "", "hosts.a.volumes.a.driver"],
  ])("%s", (_, host, deployment, where) => {
    const { message } = thrownBy(() => stackOf(host, deployment));
    expect(message).toContain(`"${where}`);
  });

  it("an unknown field with those that there are", () => {
    const { message } = thrownBy(() => stackOf(", setup: { a: { create: x, run: y } }"));
    const known = "expected one of create, delete, timeout, secretEnv";
    expect(message).toContain(`unknown key "run" in "hosts.a.setup.a"; ${known}`);
  });

  it("an unknown placeholder with those that there are", () => {
    const { message } = thrownBy(() => stackOf("", ', verify: { a: "{{url}}" }'));
    expect(message).toContain("expected one of {{endpoint}}, {{model_name}}, {{port}}, not {{url}}");
  });
});
