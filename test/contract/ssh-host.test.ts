import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe } from "vitest";

import { SshHost } from "../../src/host/ssh.js";
import { SshServer, whyNoSshd } from "../support/ssh-server.js";
import { describeHost } from "./host.js";

const isLeftOut = whyNoSshd !== undefined && process.env.BERTH_TEST_ALL !== "1";

describe.skipIf(isLeftOut)(`over ssh${isLeftOut ? ` (left out: ${whyNoSshd})` : ""}`, () => {
  describeHost("another machine as a host", async () => {
    // What a login has beyond these does not reach a command.
    const environment = { PATH: process.env.PATH ?? "", HOME: "/nowhere", LANG: "C.UTF-8", PIP_TIMEOUT: "7" };
    const login = { ...environment, LANG: "de_DE.UTF-8", SECRET_TOKEN: "hidden" };
    const words = Object.entries(login).map(([name, value]) => `"${name}=${value}"`);
    const server = await SshServer.start([`SetEnv ${words.join(" ")}`]);
    const host = new SshHost(server.target(), server.settings());
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
  });
});
