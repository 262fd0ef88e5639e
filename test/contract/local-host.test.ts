import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { LocalHost } from "../../src/host/local.js";
import { describeHost } from "./host.js";

describeHost("this machine as a host", async () => {
  const environment = { PATH: process.env.PATH ?? "", HOME: "/nowhere", LANG: "C.UTF-8", PIP_TIMEOUT: "7" };
  const folder = await realpath(await mkdtemp(join(tmpdir(), "berth host ")));
  return {
    host: new LocalHost("local", environment),
    folder,
    environment,
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
});
