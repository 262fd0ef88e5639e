import { readdir } from "node:fs/promises";

import { describe, expect, it } from "vitest";

import { baseEnvironment } from "../../../src/host/environment.js";
import { LocalHost } from "../../../src/host/local.js";
import { silentLog } from "../../../src/lib/log.js";
import { createRedact } from "../../../src/lib/redact.js";
import { Contexts } from "../../../src/resources/context.js";
import { FakeClock } from "../support/fake-clock.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { thrownBy } from "../support/thrown.js";

async function contextOnDisk() {
  const dataDir = await temporaryFolder();
  const contexts = new Contexts({
    openHost: ({ name }) => new LocalHost(name, baseEnvironment(process.env)),
    content: {
      backendFile: () => Promise.reject(new Error("nothing is to be installed")),
      pythonTool: () => Promise.reject(new Error("nothing is to be installed")),
    },
    clock: new FakeClock(),
    signal: new AbortController().signal,
    log: silentLog,
    newId: () => "id",
  });
  return { dataDir, context: contexts.of({ name: "local", connection: "local", dataDir }, createRedact([])) };
}

describe("the supervisor of a context", () => {
  it("looks at a host where nothing is, and makes nothing there", async () => {
    const { dataDir, context } = await contextOnDisk();
    const supervisor = context.supervisor("supervisord");
    const runner = { id: "a", folder: `${dataDir}/instances/a`, startSeconds: 1, stopSeconds: 1 };
    expect(await supervisor.observe(runner)).toEqual({ state: { kind: "absent" }, restarts: 0, asDefined: false });
    expect(await supervisor.list()).toEqual([]);
    await supervisor.remove(runner);
    await supervisor.retire();
    expect(await readdir(dataDir)).toEqual([]);
  });

  it("is one of those there are", async () => {
    const { context } = await contextOnDisk();
    const error = thrownBy(() => context.supervisor("pm2"));
    expect(error.message).toBe("host local: no such runtime\n  got: pm2\n  expected: systemd or supervisord or docker");
  });
});
