/** What both projects ask for: the same containers, each in its provider's words. */
import * as pulumi from "@pulumi/pulumi";

const config = new pulumi.Config();

export const image = config.require("image");
/** A file that is mounted, as a model is. */
export const model = config.require("model");
export const dataDir = config.require("dataDir");
export const containerPort = 8000;
export const servedModel = "tiny";
export const argv = ["--host", "0.0.0.0", "--port", String(containerPort), "--alias", servedModel];
export const bindAddress = "127.0.0.1";
export const stopSeconds = 5;
export const shmBytes = 64 * 2 ** 20;
export const logs = { files: 3, maxBytes: 10_000_000 };

/** @type {{ name: string, port: number }[]} */
export const containers = config
  .require("ports")
  .split(",")
  .map((port) => ({ name: `tiny-${port}`, port: Number(port) }));
