import { readFileSync, statSync } from "node:fs";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { defaultDataDir, gatherSharedFacts } from "../../src/host/facts.js";
import { sudoersLine } from "../../src/host/ssh-failure.js";
import { SshHost } from "../../src/host/ssh.js";
import { SshAccount, whyNoSudo } from "../support/ssh-account.js";
import { whyNoSshd } from "../support/ssh-server.js";
import type { HostSetting } from "./host.js";
import { describeCommands } from "./host-commands.js";
import { describeFiles } from "./host-files.js";

const missing = whyNoSshd ?? whyNoSudo;
const isLeftOut = missing !== undefined && process.env.BERTH_TEST_ALL !== "1";
const path = process.env.PATH ?? "";
/** What Berth asks for, the PATH that commands get then, and what newer versions of sudo do by themselves. */
const rules = [sudoersLine("{{user}}"), `Defaults:{{user}} secure_path="${path}"`, "Defaults:{{user}} use_pty"];

describe.skipIf(isLeftOut)(`over ssh and sudo${isLeftOut ? ` (left out: ${missing})` : ""}`, () => {
  // Downloads and requests are commands and streams like others.
  describe("another machine as a host, as root by sudo", () => {
    let setting: HostSetting;

    beforeAll(async () => {
      setting = await rootByTheirSudo();
    });
    afterAll(() => setting.dispose());

    describeCommands(() => setting);
    describeFiles(() => setting);
  });

  describe("a login with sudo", () => {
    let account: SshAccount;
    let host: SshHost;

    beforeAll(async () => {
      account = await SshAccount.create();
      host = new SshHost({ ...account.target(), sudo: "nonInteractive" }, account.settings());
    });
    afterAll(async () => {
      await host.close();
      await account.dispose();
    });

    it.each([
      { when: "nothing is allowed to the user", lines: [], says: "ALL=(root) NOPASSWD: /bin/sh" },
      { when: "sudo asks for a password", lines: ["{{user}} ALL=(root) /bin/sh"], says: "NOPASSWD: /bin/sh" },
      {
        when: "other commands are allowed",
        lines: ["{{user}} ALL=(root) NOPASSWD: /bin/true"],
        says: "NOPASSWD: /bin/sh",
      },
      {
        when: "sudo wants a terminal",
        lines: [...rules, "Defaults:{{user}} requiretty"],
        says: "!requiretty",
      },
    ])("is told which line sudoers lacks when $when, and nothing is done", async ({ lines, says }) => {
      account.writeSudoers(...lines);
      const file = join(account.home, "made");
      const error = await host.writeFile(file, "text").catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: "host-sudo-refused" });
      expect(String(error)).toContain(says);
      expect(String(error)).toContain(account.name);
      expect(account.files()).toEqual([]);
    });

    it("is root, with root's home and data directory, and makes root's files", async () => {
      account.writeSudoers(...rules);
      const facts = await gatherSharedFacts(host, undefined);
      expect(facts).toMatchObject({ user: "root", home: "/root" });
      expect(defaultDataDir(facts)).toBe("/var/lib/berth");
      const file = join(account.home, "of root");
      await host.writeFile(file, "text");
      expect(statSync(file).uid).toBe(0);
      await host.remove(file);
    });

    it("shows no variable and no input of a command to the list of processes, or to sudo's log", async () => {
      const secret = "canary-of-a-secret";
      const log = join(account.folder, "sudo.log");
      account.writeSudoers(...rules, `Defaults:{{user}} logfile=${log}`);
      const script = "cat; ps -axww -o args";
      const { stdout } = await host.run(["sh", "-c", script], { env: { TOKEN: secret }, input: secret });
      expect(stdout.split(secret)).toHaveLength(2);
      const logged = readFileSync(log, "utf8");
      expect(logged).toContain("COMMAND=/bin/sh");
      expect(logged).not.toContain(secret);
    });
  });

  it("needs no sudo for a login that is root", async () => {
    const account = await SshAccount.create();
    const target = { ...account.target(), user: "root", sudo: "nonInteractive" } as const;
    const host = new SshHost(target, account.settings());
    try {
      expect((await host.run(["id", "-un"])).stdout).toBe("root");
    } finally {
      await host.close();
      await account.dispose();
    }
  });
});

async function rootByTheirSudo(): Promise<HostSetting> {
  const account = await SshAccount.create();
  account.writeSudoers(...rules);
  const host = new SshHost({ ...account.target(), sudo: "nonInteractive" }, account.settings());
  const folder = await realpath(await mkdtemp(join(tmpdir(), "berth host ")));
  return {
    host,
    folder,
    environment: { PATH: path, HOME: "/root", LANG: "C.UTF-8" },
    async dispose() {
      await host.close();
      await account.dispose();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
