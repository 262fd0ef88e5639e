import { readFileSync } from "node:fs";
import { join } from "node:path";

import { runtime, type dynamic } from "@pulumi/pulumi";
import ts from "typescript";
import { describe, expect, it } from "vitest";

import { contractNumber } from "../../../src/pulumi/dispatch.js";
import { repository } from "../support/repository.js";

/** The shim as the package holds it: vitest would change its text, and with it what Pulumi writes into the state. */
const { config } = ts.readConfigFile(join(repository, "tsconfig.json"), (path) => ts.sys.readFile(path)) as {
  config: { compilerOptions: object };
};
const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, repository);
const source = readFileSync(join(repository, "src/pulumi/shim.ts"), "utf8");
const { outputText } = ts.transpileModule(source, {
  fileName: "shim.ts",
  compilerOptions: { ...options, module: ts.ModuleKind.ESNext },
});

/** What Pulumi writes into the state of a resource, by the code of the shim in a module of the given name. */
async function serialise(kind: string, version = "1"): Promise<string> {
  const module = `data:text/javascript,${encodeURIComponent(outputText)}#${version}`;
  const { shim } = (await import(module)) as { shim: (kind: string) => dynamic.ResourceProvider };
  const provider = shim(kind);
  const { text, containsSecrets } = await runtime.serializeFunction(() => provider, { allowSecrets: true });
  expect(containsSecrets).toBe(false);
  return text;
}

const kinds = ["Host", "BackendVersion", "ModelFiles", "Gateway", "Instance"];

describe("the text of the shim in every state", () => {
  it("is this, to the byte: another text would show as a change of every resource there is", async () => {
    expect(await serialise("Host")).toMatchInlineSnapshot(`
      "exports.handler = __f0;

      var __provider = {check: __f1, diff: __f3, create: __f4, read: __f5, update: __f6, delete: __f7};

      function __f2(__0, __1) {
        return (function() {
          with({ kind: "Host", this: undefined, arguments: undefined }) {

      return async (operation, args) => (await import("pulumi-berth/provider")).dispatch(1, kind, operation, args);

          }
        }).apply(undefined, undefined).apply(this, arguments);
      }

      function __f1() {
        return (function() {
          with({ call: __f2, this: undefined, arguments: undefined }) {

      return (...args) => call("check", args);

          }
        }).apply(undefined, undefined).apply(this, arguments);
      }

      function __f3() {
        return (function() {
          with({ call: __f2, this: undefined, arguments: undefined }) {

      return (...args) => call("diff", args);

          }
        }).apply(undefined, undefined).apply(this, arguments);
      }

      function __f4() {
        return (function() {
          with({ call: __f2, this: undefined, arguments: undefined }) {

      return (...args) => call("create", args);

          }
        }).apply(undefined, undefined).apply(this, arguments);
      }

      function __f5() {
        return (function() {
          with({ call: __f2, this: undefined, arguments: undefined }) {

      return (...args) => call("read", args);

          }
        }).apply(undefined, undefined).apply(this, arguments);
      }

      function __f6() {
        return (function() {
          with({ call: __f2, this: undefined, arguments: undefined }) {

      return (...args) => call("update", args);

          }
        }).apply(undefined, undefined).apply(this, arguments);
      }

      function __f7() {
        return (function() {
          with({ call: __f2, this: undefined, arguments: undefined }) {

      return (...args) => call("delete", args);

          }
        }).apply(undefined, undefined).apply(this, arguments);
      }

      function __f0() {
        return (function() {
          with({ provider: __provider, this: undefined, arguments: undefined }) {

      return () => provider;

          }
        }).apply(undefined, undefined).apply(this, arguments);
      }
      "
    `);
  });

  it.each(kinds)("differs for a %s in its kind alone, and is under 2 KiB", async (kind) => {
    const text = await serialise(kind);
    expect(text).toBe((await serialise("Host")).replaceAll('"Host"', JSON.stringify(kind)));
    expect(Buffer.byteLength(text)).toBeLessThan(2048);
  });

  it("is the same from another version of the package, because it captures nothing of it", async () => {
    expect(await serialise("Instance", "2")).toBe(await serialise("Instance", "1"));
    expect(outputText).not.toMatch(/^import/m);
  });

  it("names no path, and of modules the package's provider alone", async () => {
    for (const kind of kinds) {
      const text = await serialise(kind);
      expect(text.match(/(?:import|require)\([^)]*\)/g)).toEqual(['import("pulumi-berth/provider")']);
      expect(text).not.toMatch(/["'`/]\/|file:|\\\\|node_modules/);
    }
  });

  it("keeps the number of the agreement that the package has", async () => {
    expect(await serialise("Host")).toContain(`.dispatch(${contractNumber}, kind, operation, args)`);
  });
});
