import { execa } from "execa";

import type { Host } from "../../src/host/host.js";
import { defaultDockerPace, type DockerPace } from "../../src/runtime/docker-api.js";
import { createContainerEngine } from "../../src/runtime/docker-engine.js";
import { ImageRegistry, registryPassword, registryUser } from "../support/image-registry.js";
import { freePort } from "../support/sandbox.js";
import { importShellImage, pushImage } from "../support/shell-image.js";
import type { EngineSetting } from "./container-engine.js";

/** Little patience, for tests of what breaks. */
export const quickDockerPace: DockerPace = {
  ...defaultDockerPace,
  firstWaitSeconds: 0.1,
  pullRetries: 1,
  pullWaitSeconds: 0.1,
};
const shell = (script: string) => ["/bin/sh", "-c", script];

/** This machine's Docker Engine, as a host reaches it. */
export async function dockerSetting(host: Host): Promise<EngineSetting> {
  const [image, pushed] = [await importShellImage(), await importShellImage()];
  const registry = await ImageRegistry.start();
  const digest = await pushImage(registry, pushed, "team/shell");
  await execa("docker", ["rmi", pushed]);
  const networks: string[] = [];
  return {
    engine: createContainerEngine(host, quickDockerPace),
    image,
    programs: {
      idle: shell("trap 'exit 0' TERM INT; sleep 1000 & wait"),
      stubborn: shell("trap '' TERM; sleep 1000"),
      talk: shell("echo out 1; echo err 1 >&2; echo out 2; echo err 2 >&2; echo out 3; exit 3"),
      absent: ["/bin/none"],
    },
    pullable: {
      reference: `${registry.host}/team/shell@${digest}`,
      login: { username: registryUser, password: registryPassword },
    },
    kill: (pid) => process.kill(pid, "SIGKILL"),
    async makeNetwork(name) {
      await execa("docker", ["network", "create", name]);
      networks.push(name);
    },
    freePort,
    async dispose() {
      for (const name of networks) await execa("docker", ["network", "rm", name]);
      await execa("docker", ["rmi", "--force", image], { reject: false });
      await registry.close();
    },
  };
}
