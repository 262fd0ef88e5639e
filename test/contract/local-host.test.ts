import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe } from "vitest";

import { LocalHost } from "../../src/host/local.js";
import { toolFolderWithout } from "../support/tool-folder.js";
import { describeDownloads } from "./host-downloads.js";
import { describeFullDisk } from "./host-full-disk.js";
import { describeHost, type HostSetting } from "./host.js";

async function makeSetting(path: string): Promise<HostSetting> {
  const environment = { PATH: path, HOME: "/nowhere", LANG: "C.UTF-8", PIP_TIMEOUT: "7" };
  const folder = await realpath(await mkdtemp(join(tmpdir(), "berth host ")));
  return {
    host: new LocalHost("local", environment),
    folder,
    environment,
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
}

describeHost("this machine as a host", () => makeSetting(process.env.PATH ?? ""));

describe("this machine as a host, without curl", () => {
  let tools: string;
  let setting: HostSetting;

  beforeAll(async () => {
    tools = toolFolderWithout(["curl"]);
    setting = await makeSetting(tools);
  });
  afterAll(async () => {
    await setting.dispose();
    await rm(tools, { recursive: true });
  });

  describeDownloads(() => setting);
  describeFullDisk(() => setting);
});
