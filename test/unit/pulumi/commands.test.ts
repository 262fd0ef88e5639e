import type * as commandPackage from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";

import { createSetup } from "../../../src/pulumi/commands.js";

/** The options of each command that was made. */
function fakeModule(made: { name: string; options: pulumi.CustomResourceOptions }[]): typeof commandPackage {
  class Command {
    constructor(name: string, _: unknown, options: pulumi.CustomResourceOptions) {
      made.push({ name, options });
    }
  }
  return { local: { Command } } as unknown as typeof commandPackage;
}

describe("a command as a resource", () => {
  it("keeps what it says as a secret", () => {
    const made: { name: string; options: pulumi.CustomResourceOptions }[] = [];
    const host = { name: "gpu", connection: "local" } as const;
    const desired = { name: "gpu.setup.a", host, placed: { create: "true", timeoutSeconds: 1 } };
    const surroundings = { module: fakeModule(made), version: undefined, parent: {} as pulumi.Resource };
    createSetup(desired, {}, surroundings);
    expect(made[0]?.options.additionalSecretOutputs).toEqual(["stdout", "stderr"]);
  });
});
