import { join } from "node:path";

import * as pulumi from "@pulumi/pulumi";
import { Host, ModelDeployment } from "pulumi-berth";

import { gemma } from "./gemma.js";

const config = new pulumi.Config();

const host = new Host("here", {
  host: { name: "here", connection: "local", dataDir: join(pulumi.getRootDirectory(), ".berth/host") },
});

const chat = new ModelDeployment("chat", {
  host,
  backend: "llama-cpp",
  backendVersion: "2026.10.11549",
  model: gemma,
  contextLength: 2048,
  // Outside a stack file nothing chooses a port.
  port: config.getNumber("port") ?? 14100,
});

export const endpoint = chat.endpoint;
