import { appendFileSync, existsSync, readFileSync, rmSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { fakeStack, serveModels } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { Sandbox } from "../support/sandbox.js";
import { answerOf, choosePorts, leaveSandbox, systemctl } from "./deployment.js";

interface Tampering {
  what: string;
  tamper: (sandbox: Sandbox) => unknown;
  names: RegExp;
}

const tamperings: Tampering[] = [
  {
    what: "the runner is killed and systemd brings it back",
    async tamper(sandbox) {
      const [before = 0] = sandbox.runners();
      process.kill(before, "SIGKILL");
      const others = () => sandbox.runners().filter((pid) => pid !== before);
      await expect.poll(others, { timeout: 20_000 }).toHaveLength(1);
    },
    names: /chat-0\] drift: its runner came back once since it was verified/,
  },
  {
    what: "the runner is stopped",
    tamper: (sandbox) => systemctl(sandbox, "stop"),
    names: /chat-0\] drift: its runner is stopped \(inactive/,
  },
  {
    what: "the unit is edited",
    tamper: (sandbox) => appendFileSync(unitFile(sandbox), "\n[Service]\nNice=5\n"),
    names: /chat-0\] drift: its definition in the supervisor was changed/,
  },
  {
    what: "the unit would no longer start with the machine",
    tamper: (sandbox) => unlinkSync(join("/etc/systemd/system/multi-user.target.wants", sandbox.units()[0] ?? "")),
    names: /chat-0\] drift: its definition in the supervisor was changed/,
  },
  {
    what: "everything of Berth is deleted from the host while the runner goes on",
    tamper: (sandbox) => rmSync(sandbox.dataDir, { recursive: true }),
    names: /local\] drift: is gone from the host/,
  },
];

function unitFile(sandbox: Sandbox): string {
  return sandbox.path("host", "systemd", sandbox.units()[0] ?? "");
}

describe("a deployment on a host with systemd", () => {
  let server: FileServer;
  let sandbox: Sandbox;

  beforeAll(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
    sandbox.writeStack(fakeStack(server, choosePorts(), { chat: {} }, "chosen by the lock"));
  });
  // The sandbox stays for the test after the boot.
  afterAll(async () => {
    await leaveSandbox(sandbox);
    await server.close();
  });

  it("is created as a unit that starts with the machine: the lock chose systemd by the host's facts", async () => {
    const { exitCode, output } = await sandbox.up();
    expect(exitCode, output).toBe(0);
    expect(readFileSync(sandbox.path("stacks", "test.lock.yaml"), "utf8")).toContain("runtime: systemd");
    expect(sandbox.runners()).toHaveLength(1);
    expect(await systemctl(sandbox, "is-enabled")).toBe("enabled");
    expect(existsSync(sandbox.path("host", "supervisor"))).toBe(false);
    expect(await answerOf(sandbox, "chat")).toEqual({ choices: [{ text: "five" }] });
  });

  it("changes nothing when nothing was changed", async () => {
    const { exitCode, output } = await sandbox.up(["--expect-no-changes"]);
    expect(exitCode, output).toBe(0);
  });

  for (const { what, tamper, names } of tamperings) {
    it(`is named by refresh and mended by one up: ${what}`, async () => {
      await tamper(sandbox);
      await delay(500);
      expect(await sandbox.refreshDrift()).toMatch(names);
      const { exitCode, output } = await sandbox.up();
      expect(exitCode, output).toBe(0);
      expect(sandbox.runners()).toHaveLength(1);
      expect(await systemctl(sandbox, "is-enabled")).toBe("enabled");
      expect(await systemctl(sandbox, "is-active")).toBe("active");
    });
  }
});
