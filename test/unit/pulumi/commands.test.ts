import type * as commandPackage from "@pulumi/command";
import type * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";

import { createSetup } from "../../../src/pulumi/commands.js";

/** A package whose commands say with what options they were made. */
function fakePackage() {
  const made: pulumi.CustomResourceOptions[] = [];
  class Command {
    constructor(_name: string, _inputs: unknown, options: pulumi.CustomResourceOptions) {
      made.push(options);
    }
  }
  return { module: { local: { Command } } as unknown as typeof commandPackage, made };
}

describe("a command that prepares a host", () => {
  const host = { name: "gpu", connection: "local" } as const;
  const desired = (name: string) => ({ name, host, placed: { create: "true", timeoutSeconds: 1 } });
  const common = { version: undefined, parent: {} as pulumi.Resource };

  it("keeps both its outputs as secrets", () => {
    const { module, made } = fakePackage();
    createSetup(desired("gpu.setup.a"), {}, { ...common, module, dependsOn: [] });
    expect(made[0]?.additionalSecretOutputs).toEqual(["stdout", "stderr"]);
  });
});
