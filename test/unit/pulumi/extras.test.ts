import { setTimeout as delay } from "node:timers/promises";

import type * as commandPackage from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, it, vi } from "vitest";

import { createSetup } from "../../../src/pulumi/commands.js";
import { declareExtras } from "../../../src/pulumi/extras.js";

const events: string[] = [];
beforeAll(async () => {
  await pulumi.runtime.setMocks({
    call: () => ({}),
    newResource: async ({ name }) => {
      events.push(`${name} begins`);
      await delay(20);
      events.push(`${name} ends`);
      return { id: name, state: {} };
    },
  });
});

const setup = (host: string, name: string) => ({
  name: `${host}.setup.${name}`,
  host: { name: host, connection: "local" } as const,
  placed: { create: "true", timeoutSeconds: 1 },
});

describe("the commands that prepare hosts", () => {
  beforeAll(async () => {
    const setups = [setup("a", "1"), setup("a", "2"), setup("a", "3"), setup("b", "1")];
    const extras = await declareExtras(
      { setups, verifications: [], dockers: [] },
      {
        environment: {},
        root: "/",
        findSecrets: () => Promise.resolve(pulumi.output<Record<string, string>>({})),
        parent: new pulumi.ComponentResource("test:index:Stack", "test"),
      },
    );
    const made = ["a", "b"].flatMap((host) => extras.before(host));
    await Promise.all(made.map(({ urn }) => new Promise((resolve) => urn.apply(resolve))));
  });

  it("run one after the other on one host, in their given order, and at the same time on several", () => {
    const ofA = events.filter((event) => event.startsWith("a."));
    expect(ofA).toEqual(["1", "2", "3"].flatMap((name) => [`a.setup.${name} begins`, `a.setup.${name} ends`]));
    expect(events.indexOf("b.setup.1 begins")).toBeLessThan(events.indexOf("a.setup.2 begins"));
  });

  it("keep what they say as secrets", () => {
    const Command = vi.fn();
    const module = { local: { Command } } as unknown as typeof commandPackage;
    const parent = new pulumi.ComponentResource("test:index:Stack", "other");
    createSetup(setup("a", "1"), {}, { module, version: undefined, parent, dependsOn: [] });
    expect(Command.mock.calls[0]?.[2]).toMatchObject({ additionalSecretOutputs: ["stdout", "stderr"] });
  });
});
