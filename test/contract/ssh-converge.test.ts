import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { SshHost } from "../../src/host/ssh.js";
import { SshServer, whyNoSshd } from "../support/ssh-server.js";
import { TcpProxy } from "../support/tcp-proxy.js";
import { Convergence } from "./convergence.js";
import { findWrong, prepare, Sources } from "./converging-resources.js";

const isLeftOut = whyNoSshd !== undefined && process.env.BERTH_TEST_ALL !== "1";
const reason = isLeftOut ? ` (left out: ${whyNoSshd})` : "";

type Fault = "is cut" | "is silent" | "is cut for good";
const anew: Fault[] = ["is cut", "is cut for good", "is silent"];

/** The journal steps of each operation, each with one of the faults in turn. What a host does is in `converge.test.ts`. */
const steps = (
  [
    ["ModelFiles", "create", ["fetch and verify", "put in place"]],
    ["ModelFiles", "update", ["fetch and verify", "put in place"]],
    ["ModelFiles", "delete", ["take back to the cache"]],
    ["BackendVersion", "create", ["download packages", "install", "verify", "put in place"]],
    ["BackendVersion", "update", ["download packages", "install", "put in place", "remove the installation before"]],
    ["BackendVersion", "delete", ["uninstall"]],
  ] as const
)
  .flatMap(([kind, operation, names]) => names.map((step) => ({ kind, operation, step })))
  .map((row, index) => ({ ...row, fault: anew[index % anew.length] ?? "is cut" }));

describe.skipIf(isLeftOut)(`a run over ssh during which the network fails${reason}`, () => {
  let server: SshServer;
  let sources: Sources;
  let folder: string;
  let proxy: TcpProxy;
  let host: SshHost;
  let stage: Convergence;

  beforeAll(async () => {
    server = await SshServer.start();
    sources = await Sources.start();
  });
  afterAll(async () => {
    await sources.close();
    await server.dispose();
  });
  beforeEach(async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), "berth converge ")));
    proxy = await TcpProxy.start(server.port);
    host = new SshHost(server.target(proxy.port), server.settings());
    stage = new Convergence(folder, host);
  });
  afterEach(async () => {
    await host.close();
    proxy.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const fail: Record<Fault, () => void> = {
    "is cut": () => proxy.cut(),
    "is silent": () => proxy.hang(),
    "is cut for good": () => {
      proxy.stayDown(true);
      proxy.cut();
    },
  };

  it.each(steps)("and $fault as $kind's $operation comes to `$step`: the next run converges", async (row) => {
    const { kind, operation, step: wantedStep, fault } = row;
    const { wanted } = sources;
    const news = await prepare(stage, [kind, operation], wanted);
    await host.status("/");
    let isBegun = false;
    await stage.stepsOf(
      () => stage.up(kind, news).catch(() => undefined),
      (step) => {
        if (isBegun || step !== wantedStep) return;
        isBegun = true;
        fail[fault]();
      },
    );
    expect(isBegun).toBe(true);
    proxy.stayDown(false);
    await stage.up(kind, news);
    expect(await findWrong(stage, kind, news, wanted)).toEqual([]);
  });
});
