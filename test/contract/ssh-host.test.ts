import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe } from "vitest";

import { SshHost, type SshOptions } from "../../src/host/ssh.js";
import { SshServer, whyNoSshd } from "../support/ssh-server.js";
import { describeHost, type HostSetting } from "./host.js";
import { describeDownloads } from "./host-downloads.js";

const isLeftOut = whyNoSshd !== undefined && process.env.BERTH_TEST_ALL !== "1";

describe.skipIf(isLeftOut)(`over ssh${isLeftOut ? ` (left out: ${whyNoSshd})` : ""}`, () => {
  const make = async (options?: SshOptions): Promise<HostSetting> => {
    // What a login has beyond these does not reach a command.
    const environment = { PATH: process.env.PATH ?? "", HOME: "/nowhere", LANG: "C.UTF-8", PIP_TIMEOUT: "7" };
    const login = { ...environment, LANG: "de_DE.UTF-8", SECRET_TOKEN: "hidden" };
    const words = Object.entries(login).map(([name, value]) => `"${name}=${value}"`);
    const server = await SshServer.start([`SetEnv ${words.join(" ")}`]);
    const host = new SshHost(server.target(), server.settings(), options);
    const folder = await realpath(await mkdtemp(join(tmpdir(), "berth host ")));
    return {
      host,
      folder,
      environment,
      async dispose() {
        await host.close();
        await server.dispose();
        await rm(folder, { recursive: true, force: true });
      },
    };
  };

  describeHost("another machine as a host", make);

  describe("another machine, to which this one pushes what it fetches", () => {
    let setting: HostSetting;
    beforeAll(async () => {
      setting = await make({ downloads: "push" });
    });
    afterAll(() => setting.dispose());
    describeDownloads(() => setting);
  });
});
