import { setTimeout as delay } from "node:timers/promises";

import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, it } from "vitest";

import { declareExtras } from "../../../src/pulumi/extras.js";

const events: string[] = [];
beforeAll(async () => {
  await pulumi.runtime.setMocks({
    call: () => ({}),
    newResource: async ({ name, inputs }) => {
      events.push(`${name} begins`);
      await delay(20);
      events.push(`${name} ends`);
      return { id: name, state: inputs };
    },
  });
});

describe("the commands that prepare hosts", () => {
  it("run one after the other on one host, in their given order, and at the same time on several", async () => {
    const setup = (host: string, name: string) => ({
      name: `${host}.setup.${name}`,
      host: { name: host, connection: "local" } as const,
      placed: { create: "true", timeoutSeconds: 1 },
    });
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
    const ofA = events.filter((event) => event.startsWith("a."));
    expect(ofA).toEqual(["1", "2", "3"].flatMap((name) => [`a.setup.${name} begins`, `a.setup.${name} ends`]));
    expect(events.indexOf("b.setup.1 begins")).toBeLessThan(events.indexOf("a.setup.2 begins"));
  });
});
