import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { parseYaml } from "../../../src/schema/document.js";
import { expandPattern } from "../../../src/schema/hosts.js";
import { stackFile } from "../../../src/schema/stack.js";
import { thrownBy } from "../support/thrown.js";

const hostsOf = (...lines: string[]) =>
  parseYaml(["schemaVersion: 1", ...lines].join("\n"), "stacks/dev.yaml", stackFile).hosts;
const problemsOf = (...lines: string[]) => thrownBy(() => hostsOf(...lines)).message.split("\n");

describe("the hosts of a stack file", () => {
  it("are this machine, or others by ssh: by their name where no address is given", () => {
    const hosts = hostsOf(
      "hosts:",
      "  here: { connection: local }",
      "  gpu: { connection: ssh, ssh: { user: berth } }",
    );
    expect(hosts).toEqual({
      here: { connection: "local", labels: {}, portRange: [14000, 14999] },
      gpu: { connection: "ssh", ssh: { address: "gpu", user: "berth" }, labels: {}, portRange: [14000, 14999] },
    });
  });

  it("have private addresses, by their names where hostDefaults say so", () => {
    const hosts = hostsOf(
      'hostDefaults: { connection: ssh, privateAddress: "{{host}}.private" }',
      "hosts:",
      "  gpu-[1-2]: {}",
      "  odd: { privateAddress: 10.0.0.9 }",
    );
    const addresses = Object.values(hosts).map(({ privateAddress }) => privateAddress);
    expect(addresses).toEqual(["gpu-1.private", "gpu-2.private", "10.0.0.9"]);
  });

  it.each([
    ...["127.0.0.1", "127.0.0.2", "127.1", "0.0.0.0", "0", "2130706433", "0x7f000001", "10.1"],
    ...["localhost", "LOCALHOST"],
  ])("have no private address that each host has, or that is short for one: %s", (address) => {
    const problems = problemsOf(`hosts: { here: { connection: local, privateAddress: "${address}" } }`);
    expect(problems.join("\n")).toContain("expected an address of the network that the hosts share");
  });

  it.each(["10.0.0.7", "cafe", "gpu-1.private", "127.example.net"])("may have the private address %s", (address) => {
    const { here } = hostsOf(`hosts: { here: { connection: local, privateAddress: "${address}" } }`);
    expect(here?.privateAddress).toBe(address);
  });

  it("take what they leave out from hostDefaults; ssh and labels merge by key, lists are replaced", () => {
    const hosts = hostsOf(
      "hostDefaults:",
      "  connection: ssh",
      '  ssh: { user: berth, address: "{{host}}.stg.example.net", port: 2222 }',
      "  dataDir: /data/berth",
      "  labels: { site: a, pool: none }",
      "  portRange: [9000, 9100]",
      "hosts:",
      "  h100-[09-10]: { labels: { pool: h100 } }",
      "  odd: { ssh: { address: 10.0.0.9 }, portRange: [1000, 1001], dataDir: /srv }",
      "  here: { connection: local }",
    );
    const common = { connection: "ssh", dataDir: "/data/berth", portRange: [9000, 9100] };
    const ssh = { user: "berth", port: 2222 };
    expect(hosts).toEqual({
      "h100-09": {
        ...common,
        labels: { site: "a", pool: "h100" },
        ssh: { ...ssh, address: "h100-09.stg.example.net" },
      },
      "h100-10": {
        ...common,
        labels: { site: "a", pool: "h100" },
        ssh: { ...ssh, address: "h100-10.stg.example.net" },
      },
      odd: {
        ...{ ...common, dataDir: "/srv", portRange: [1000, 1001] },
        ...{ labels: { site: "a", pool: "none" }, ssh: { ...ssh, address: "10.0.0.9" } },
      },
      here: { ...common, connection: "local", labels: { site: "a", pool: "none" } },
    });
  });

  it("become root by sudo where they say so; one of them may do without what hostDefaults say", () => {
    const hosts = hostsOf(
      "hostDefaults: { connection: ssh, ssh: { user: berth, sudo: nonInteractive } }",
      "hosts:",
      "  a: {}",
      "  b: { ssh: { sudo: none } }",
    );
    expect(hosts.a?.ssh).toEqual({ address: "a", user: "berth", sudo: "nonInteractive" });
    expect(hosts.b?.ssh).toEqual({ address: "b", user: "berth", sudo: "none" });
    expect(problemsOf("hosts:", "  a: { connection: ssh, ssh: { sudo: yes } }").join("\n")).toContain("nonInteractive");
  });

  it.each([
    [["hosts:", "  a: {}"], '3:6: "hosts.a.connection" is missing; expected "local" or "ssh"'],
    [["hosts:", "  a: { connection: ssh, dataDir: data }"], '3:34: "hosts.a.dataDir": expected an absolute path'],
    [
      ["hosts:", "  a: { connection: local, ssh: { user: b } }"],
      '3:32: "hosts.a.ssh": expected connection: ssh with it',
    ],
    [["hosts:", '  a: { connection: ssh, ssh: { address: "-oProxyCommand=x" } }'], "expected a host name"],
    [["hosts:", '  a: { connection: ssh, ssh: { user: "-l" } }'], "expected the name of a user"],
    [["hosts:", "  a-[3-1]: { connection: local }"], "expected a range that begins below its end"],
    [
      ["hosts:", "  a-[1-3]: { connection: local }", "  a-2: { connection: local }"],
      '"a-[1-3]" gives the host a-2 already',
    ],
    [["hosts:", "  a-[1-3: { connection: local }"], "a range is gpu-[01-24]"],
  ])("are refused where they make no sense: %j", (lines, text) => {
    expect(problemsOf(...lines).join("\n")).toContain(text);
  });
});

describe("expandPattern", () => {
  it("counts in numbers as wide as the first one", () => {
    expect(expandPattern("gpu-[08-11]-x")).toEqual(["gpu-08-x", "gpu-09-x", "gpu-10-x", "gpu-11-x"]);
    expect(expandPattern("n[9-10]")).toEqual(["n9", "n10"]);
    expect(expandPattern("plain")).toEqual(["plain"]);
  });

  it("gives each name once, as many as the range tells", () => {
    const range = fc.tuple(fc.integer({ min: 0, max: 9000 }), fc.integer({ min: 0, max: 99 }));
    fc.assert(
      fc.property(range, ([first, more]) => {
        const names = expandPattern(`h-[${first}-${first + more}]`);
        expect(new Set(names).size).toBe(more + 1);
        expect(names.at(-1)).toBe(`h-${first + more}`);
      }),
    );
  });
});
