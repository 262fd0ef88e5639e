import { describe, expect, it, onTestFinished } from "vitest";

import { facts, type FactsReport } from "../../src/cli/facts.js";
import { SshServer, whyNoSshd } from "../support/ssh-server.js";
import { TcpProxy } from "../support/tcp-proxy.js";
import { testProject } from "../unit/support/workplaces.js";

const isLeftOut = whyNoSshd !== undefined && process.env.BERTH_TEST_ALL !== "1";
const answering = 8;
const mute = 3;

/** How long many hosts take is measured by the benchmark `many-hosts`. */
describe.skipIf(isLeftOut)(`the facts of many hosts over ssh${isLeftOut ? ` (left out: ${whyNoSshd})` : ""}`, () => {
  it("are asked for at once, over one connection each; those that never answer are told of, and the rest is there", async () => {
    const server = await SshServer.start(["SetEnv PATH=/usr/bin:/bin HOME=/nowhere"]);
    const proxies = await Promise.all(Array.from({ length: answering + mute }, () => TcpProxy.start(server.port)));
    onTestFinished(async () => {
      for (const proxy of proxies) proxy.close();
      await server.dispose();
    });
    // Nobody gets a word before all are connected to.
    let connected = 0;
    const all = new Promise<void>((resolve) => {
      for (const proxy of proxies)
        proxy.onConnection = () => {
          connected += 1;
          if (connected === proxies.length) resolve();
        };
    });
    for (const proxy of proxies.slice(mute)) proxy.hold(all);
    for (const proxy of proxies.slice(0, mute)) proxy.stayMute(true);

    const hosts = proxies.map(({ port }, index) => {
      const { address, user, configFile } = server.target(port);
      const ssh = `{ address: ${address}, user: ${user}, port: ${port}, configFile: ${configFile} }`;
      return `  ${index < mute ? "mute" : "host"}-${index}: { connection: ssh, ssh: ${ssh} }`;
    });
    const stack = ["schemaVersion: 1", "hosts:", ...hosts, "deployments: {}", ""].join("\n");
    const { PATH = "", HOME = "/" } = process.env;
    const environment = { PATH, HOME, XDG_RUNTIME_DIR: server.folder };
    const { workplace, printed } = await testProject({ "stacks/test.yaml": stack, "Pulumi.yaml": "name: test\n" });
    const failure = facts({ ...workplace, environment }, [], { json: true });
    await expect(failure).rejects.toThrow(`${mute} of ${proxies.length} hosts could not be looked at`);

    const report = Object.entries(JSON.parse(printed.join("\n")) as FactsReport);
    expect(report).toHaveLength(proxies.length);
    for (const [name, host] of report) {
      expect(host.reachable, name).toBe(name.startsWith("host"));
      if (host.reachable) expect(host.facts.os).toBe("linux");
      else expect(host.problem).toContain("the host could not be reached");
    }
    expect(proxies.map(({ connections }) => connections)).toEqual(proxies.map(() => 1));
  });
});
