import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, it } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { BerthError } from "../../../src/lib/errors.js";
import { interpreter, onlyIfNew, runHostCommand, type CommandRequest } from "../../../src/pulumi/host-command.js";
import { rejectionOf } from "../support/thrown.js";

const folder = mkdtempSync(join(realpathSync(tmpdir()), "berth-unit-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a command on this machine; returns what Pulumi keeps of it, and what was told. */
async function run(
  text: string,
  {
    environment = {},
    told = [],
    ...changes
  }: Partial<CommandRequest> & { environment?: Record<string, string>; told?: string[] } = {},
): Promise<{ kept: string; told: string[] }> {
  const host = { name: "here", connection: "local" } as const;
  const request: CommandRequest = { host, timeoutSeconds: 20, secrets: [], ...changes };
  const kept = await runHostCommand(text, {
    openHost: ({ name }) => new LocalHost(name, { PATH: "/usr/bin:/bin", HOME: "/" }),
    environment: { BERTH_COMMAND: JSON.stringify(request), OTHER: "not for commands", ...environment },
    projectRoot: folder,
    signal: new AbortController().signal,
    report: (line) => told.push(line),
  });
  return { kept, told };
}

describe("the interpreter of commands", () => {
  it("is a part of the state, so its words stay the same and name no place", () => {
    expect(interpreter).toEqual([
      ...["node", "--input-type=module", "--eval", 'await import("pulumi-berth/command");', "--"],
    ]);
  });
});

describe("a command on a host", () => {
  it("runs in the project's folder, and both its outputs are told in their order", async () => {
    const { told } = await run("pwd; echo one; echo two >&2; printf three");
    expect(told).toEqual([folder, "one", "two", "three"]);
  });

  it("gets the variables that the request names, and no other of the process", async () => {
    const { told } = await run('echo "${#TOKEN} $OTHER."', { secrets: ["TOKEN"], environment: { TOKEN: "s3cret-7" } });
    expect(told).toEqual(["8 ."]);
  });

  it("tells no secret, on one line or on several", async () => {
    const environment = { TOKEN: "s3cret-7", KEY: "-----BEGIN-----\nline-of-a-key" };
    const { told } = await run('echo "x${TOKEN}x"; echo "$KEY"; printf "%s" "$TOKEN" | base64', {
      secrets: ["TOKEN", "KEY"],
      environment,
    });
    expect(told).toEqual(["x[secret]x", "[secret]", "[secret]", "[secret]"]);
  });

  it("tells no secret that is not printable, nor one with a colour inside", async () => {
    const environment = { TOKEN: "s3\u001b[31mcret-7", KEY: "abcdef-7" };
    const { told } = await run(`printf '%s\\n' "$TOKEN"; printf 'abc\\033[1mdef-7\\n'`, {
      secrets: ["TOKEN", "KEY"],
      environment,
    });
    expect(told).toEqual(["[secret]", "[secret]"]);
  });

  it("tells the beginning and the end of a long output, also when it fails", async () => {
    const told: string[] = [];
    const talk = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; exit 3";
    await rejectionOf(run(talk, { told }));
    expect([told[0], told.at(-1)]).toEqual(["line 0", "line 19999"]);
    expect(Buffer.byteLength(told.join("\n"))).toBeLessThan(33 * 1024);
  });

  it("leaves a digest as its standard output, never what it says", async () => {
    const { kept } = await run("echo said");
    expect(kept).toMatch(/^[0-9a-f]{64}$/);
    expect((await run("echo said")).kept).toBe(kept);
    expect((await run("echo other")).kept).not.toBe(kept);
  });

  it("does not run again as an update of the same text, and runs as one of another text", async () => {
    const { kept } = await run("echo said");
    const environment = { PULUMI_COMMAND_STDOUT: kept };
    expect(await run(`${onlyIfNew}echo said`, { environment })).toEqual({ kept, told: [] });
    expect((await run(`${onlyIfNew}echo other`, { environment })).told).toEqual(["other"]);
    expect((await run("echo said", { environment })).told).toEqual(["said"]);
  });

  const at = (ssh: object = {}) => ({ name: "box", connection: "ssh", ssh: { address: "box", ...ssh } }) as const;
  it.each([
    ["by ssh instead of here", { name: "box", connection: "local" } as const, at(), true],
    ["as another user", at(), at({ user: "berth" }), true],
    ["as root", at({ user: "berth" }), at({ user: "berth", sudo: "nonInteractive" }), true],
    ["at another address", at(), at({ address: "10.0.0.9", port: 2222, configFile: "ssh-config" }), false],
    ["with sudo said to be none", at(), at({ sudo: "none" }), false],
    ["with pushed downloads", at(), at({ downloads: "push" }), false],
  ])(
    "as an update for a host reached %s runs again only where it is another place",
    async (_, before, after, again) => {
      const { kept } = await run("echo said", { host: before });
      const { told } = await run(`${onlyIfNew}echo said`, {
        host: after,
        environment: { PULUMI_COMMAND_STDOUT: kept },
      });
      expect(told).toEqual(again ? ["said"] : []);
    },
  );

  it.each([
    ["fails", "exit 3", 20, "exit code 3"],
    ["is not there", "/no/such/command", 20, "exit code 127"],
    ["runs past its time", "sleep 20", 0.2, "exit code 124, as after 0.2 s"],
  ])("that %s is an error", async (_, text, timeoutSeconds, got) => {
    const error = await rejectionOf(run(text, { timeoutSeconds }));
    expect(error.code).toBe("command-failed");
    expect(error.parts).toMatchObject({ where: "host here", got });
  });

  it("hands on why a host cannot be reached, without secrets", async () => {
    const request = { host: { name: "box", connection: "local" }, timeoutSeconds: 1, secrets: ["TOKEN"] };
    const error = await rejectionOf(
      runHostCommand("true", {
        openHost: () => {
          throw new BerthError("host-unreachable", { what: "no way for s3cret-7" });
        },
        environment: { BERTH_COMMAND: JSON.stringify(request), TOKEN: "s3cret-7" },
        projectRoot: folder,
        signal: new AbortController().signal,
        report: () => undefined,
      }),
    );
    expect(error.toString()).toBe("no way for [secret] (host-unreachable)");
  });
});
