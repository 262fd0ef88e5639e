/** The Pulumi program of both projects: many instances, of the provider that has the project's name. */
import { resolve } from "node:path";

import * as pulumi from "@pulumi/pulumi";

import { instanceInputs, secretEnv } from "./inputs.mjs";

const { provider, outputs } = await import(`./${pulumi.getProject()}.mjs`);

class Instance extends pulumi.dynamic.Resource {
  constructor(name, args) {
    const owner = `${pulumi.getProject()}/${pulumi.getStack()}`;
    super(provider, name, { owner, name, ...args, ...outputs }, undefined, "berth", "Instance");
  }
}

const dataDir = resolve("..", "data");
for (let index = 0; index < new pulumi.Config().requireNumber("instances"); index += 1) {
  new Instance(`chat-${index}`, { ...instanceInputs(dataDir, index), secretEnv: pulumi.secret(secretEnv) });
}
