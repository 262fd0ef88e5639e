import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { Finding } from "../../src/cli/examinations/finding.js";
import { examineHost, type ExaminedEntry } from "../../src/cli/examinations/host.js";
import { sudoersLine } from "../../src/host/ssh-failure.js";
import type { SshTarget } from "../../src/host/ssh-target.js";
import { SshHost } from "../../src/host/ssh.js";
import { systemClock } from "../../src/lib/clock.js";
import { freePort } from "../support/sandbox.js";
import { SshAccount, whyNoSudo } from "../support/ssh-account.js";
import { whyNoSshd } from "../support/ssh-server.js";
import { repository } from "../support/toolchain.js";

const missing = whyNoSshd ?? whyNoSudo;
const isLeftOut = missing !== undefined && process.env.BERTH_TEST_ALL !== "1";

const isDockerLeftOut = !existsSync("/var/run/docker.sock") && process.env.BERTH_TEST_ALL !== "1";

/** What doctor finds on the account's host. */
async function examine(
  account: SshAccount,
  { dataDir, ...target }: Partial<SshTarget> & { dataDir?: string } = {},
): Promise<Finding[]> {
  const { configFile, ...to } = { ...account.target(), ...target };
  const host = new SshHost({ ...to, configFile }, account.settings());
  const { address, sudo } = to;
  const entry: ExaminedEntry = {
    connection: "ssh",
    ssh: { address, ...(sudo === undefined ? {} : { sudo }) },
    dataDir,
  };
  try {
    return await examineHost({ host, entry, root: "/nowhere", clock: systemClock });
  } finally {
    await host.close();
  }
}

const about = (findings: readonly Finding[], subject: string) => findings.filter((each) => each.subject === subject);
const bad = (findings: readonly Finding[]) => findings.filter(({ state }) => state === "bad");

describe.skipIf(isLeftOut)(`doctor over ssh${isLeftOut ? ` (left out: ${missing})` : ""}`, () => {
  let account: SshAccount;

  beforeAll(async () => {
    account = await SshAccount.create();
  });
  afterAll(() => account.dispose());

  /** A data directory of the account's own, in a state to be told of. */
  const makeDataDir = (name: string) => {
    const { uid, gid } = statSync(account.home);
    const folder = join(account.home, name);
    mkdirSync(folder);
    chownSync(folder, uid, gid);
    return folder;
  };

  it("is content with an unprivileged login, and leaves nothing there", async () => {
    const before = readdirSync(account.home);
    const findings = await examine(account);
    expect(bad(findings)).toEqual([]);
    const good = findings.filter(({ state }) => state === "good").map(({ subject }) => subject);
    for (const subject of ["login", "clock", "tools", "downloads", "Python", "sessions", "forwarding", "ownership"])
      expect(good).toContain(subject);
    const dataDir = `${account.home}/.local/share/berth`;
    expect(about(findings, "data directory")[0]?.found).toBe(`${dataDir}, which is made when it is needed`);
    expect(readdirSync(account.home)).toEqual(before);
  });

  it("tells of a data directory that root has made how to give it to the user", async () => {
    const folder = join(account.home, "of root");
    mkdirSync(folder, { mode: 0o755 });
    const [finding, ...others] = bad(await examine(account, { dataDir: folder }));
    expect(others).toEqual([]);
    expect(finding?.found).toBe(`${account.name} may not write: ${folder} belongs to root, mode 0755`);
    await execa("sh", ["-c", (finding?.mend ?? "").replace("sudo ", "")]);
    expect(bad(await examine(account, { dataDir: folder }))).toEqual([]);
  });

  it("tells of all that is wrong with a data directory, a broken host lock too, and looks at the rest", async () => {
    const folder = makeDataDir("left");
    mkdirSync(join(folder, "backends"));
    writeFileSync(join(folder, "lock.json"), "{");
    chmodSync(folder, 0o777);
    const findings = await examine(account, { dataDir: folder });
    expect(about(findings, "ownership").map(({ found }) => found)).toEqual([
      expect.stringMatching(`another user than ${account.name} owns .*backends`),
      `every user of the host may change what ${account.name} runs: ${folder} has mode 0777`,
    ]);
    expect(about(findings, "host lock")).toMatchObject([
      { state: "bad", found: expect.stringContaining("not one that Berth wrote") as string },
    ]);
    expect(about(findings, "disk")).toMatchObject([{ state: "good" }]);
  });

  it("tells of a file system from which nothing may be run", async () => {
    const folder = makeDataDir("noexec");
    await execa("mount", ["-t", "tmpfs", "-o", "noexec,mode=1777", "tmpfs", folder]);
    try {
      const findings = bad(await examine(account, { dataDir: folder }));
      expect(findings.map(({ subject }) => subject)).toContain("mount");
    } finally {
      await execa("umount", [folder]);
    }
  });

  it.skipIf(isDockerLeftOut)("tells who may join docker's group, and who did so may use Docker", async () => {
    const [closed] = about(await examine(account), "container engine");
    expect(closed?.found).toContain(`${account.name} may not use /var/run/docker.sock`);
    expect(closed?.mend).toContain(`sudo usermod -aG docker ${account.name}; `);
    await execa("usermod", ["-aG", "docker", account.name]);
    const [open] = about(await examine(account), "container engine");
    expect(open).toMatchObject({ state: "good", found: expect.stringMatching(/^docker \d/) as string });
  });

  it.each([
    { what: "refuses", lines: [], state: "bad", subject: "sudo" },
    { what: "allows", lines: [sudoersLine("{{user}}")], state: "good", subject: "login" },
  ])("tells whether sudo $what", async ({ lines, state, subject }) => {
    account.writeSudoers(...lines);
    const findings = await examine(account, { sudo: "nonInteractive" });
    expect(about(findings, subject)).toMatchObject([{ state }]);
    if (state === "bad") expect(findings[0]?.mend).toContain(sudoersLine(account.name));
    else expect(about(findings, "data directory")[0]?.found).toMatch(/^\/var\/lib\/berth/);
  });

  it.each<[string, (target: SshTarget) => Partial<SshTarget> | Promise<Partial<SshTarget>>]>([
    ["host key", () => ({ configFile: account.strangerConfiguration() })],
    ["login", () => ({ user: "nobody" })],
    ["reached", async () => ({ port: await freePort() })],
  ])("tells that it was the %s", async (subject, change) => {
    const findings = await examine(account, await change(account.target()));
    expect(findings).toMatchObject([{ state: "bad", subject, mend: expect.any(String) as string }]);
  });

  it("tells what sshd forbids", async () => {
    const strict = await SshAccount.create(["AllowTcpForwarding no", "MaxSessions 3"]);
    try {
      const findings = await examine(strict);
      expect(about(findings, "forwarding")).toMatchObject([{ state: "bad" }]);
      expect(about(findings, "sessions")).toMatchObject([{ state: "note" }]);
    } finally {
      await strict.dispose();
    }
  });

  it("goes on where a host of several is lost, and looks at those that are named", async () => {
    const project = mkdtempSync(join(tmpdir(), "berth-doctor-"));
    mkdirSync(join(project, "stacks"));
    writeFileSync(join(project, "Pulumi.yaml"), "name: doctor\nruntime: nodejs\n");
    writeFileSync(join(project, "alive"), account.configuration());
    writeFileSync(join(project, "dead"), await account.deadConfiguration());
    const host = (file: string) => `{ connection: ssh, ssh: { address: box, configFile: ${file} } }`;
    const stack = `schemaVersion: 1\nhosts:\n  a: ${host("alive")}\n  b: ${host("dead")}\n  c: { connection: local }\n`;
    writeFileSync(join(project, "stacks", "dev.yaml"), stack);
    const berth = async (...args: string[]) => {
      const main = join(repository, "dist", "cli", "main.js");
      const env = { XDG_RUNTIME_DIR: account.folder };
      const { stdout } = await execa(process.execPath, [main, "doctor", "dev", "--json", ...args], {
        ...{ cwd: project, env, reject: false },
      });
      return JSON.parse(stdout) as (Finding & { host?: string })[];
    };
    try {
      const findings = await berth();
      expect(findings.filter((each) => each.host === "b")).toMatchObject([{ state: "bad", subject: "reached" }]);
      for (const name of ["a", "c"])
        expect(
          about(
            findings.filter((each) => each.host === name),
            "host lock",
          ),
        ).toMatchObject([{ state: "good" }]);
      const named = await berth("--host", "a");
      expect(new Set(named.map((each) => each.host))).toEqual(new Set([undefined, "a"]));
      expect(bad(named)).toEqual([]);
    } finally {
      await account.endConnections();
      rmSync(project, { recursive: true });
    }
  });
});
