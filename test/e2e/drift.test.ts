import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { fakeStack, models, serveModels } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { sha256 } from "../../src/lib/canonical.js";
import { Sandbox } from "../support/sandbox.js";
import { supervisorctl } from "../support/supervisorctl.js";

/** The rest of the list costs four minutes; CI runs it whole. */
const runAll = process.env.BERTH_TEST_ALL === "1";

/** A way in which somebody changes a host by hand, and what `refresh` then has to say. */
interface Tampering {
  what: string;
  tamper: (sandbox: Sandbox) => void | Promise<void>;
  names: RegExp;
  /** Left to CI. */
  rare?: boolean;
}

const modelFolder = join("models", sha256(models.good));
const modelFile = join(modelFolder, "model.txt");
const instance = join("instances", "sandbox+test+chat-0");

function generation(sandbox: Sandbox): string {
  const { current } = JSON.parse(readFileSync(join(sandbox.dataDir, instance, "record.json"), "utf8")) as {
    current: string;
  };
  return join(sandbox.dataDir, instance, current);
}

function sitePackages(sandbox: Sandbox): string {
  const { environment } = JSON.parse(
    readFileSync(join(sandbox.dataDir, "backends", "fake_1", "installation.json"), "utf8"),
  ) as { environment: string };
  const [python = ""] = readdirSync(join(environment, "lib"));
  return join(environment, "lib", python, "site-packages");
}

function journalFile(sandbox: Sandbox, resource: string): string {
  const folder = join(sandbox.dataDir, "journal");
  return join(folder, readdirSync(folder).find((name) => name.includes(`+${resource}+`)) ?? "");
}

function programFile(sandbox: Sandbox): string {
  const folder = join(sandbox.dataDir, "supervisor", "programs");
  return join(folder, readdirSync(folder)[0] ?? "");
}

function killSupervisor(sandbox: Sandbox): void {
  process.kill(Number(readFileSync(join(sandbox.dataDir, "supervisor", "supervisord.pid"), "utf8")), "SIGKILL");
}

function killRunners(sandbox: Sandbox): void {
  for (const pid of sandbox.runners()) process.kill(pid, "SIGKILL");
}

const tamperings: Tampering[] = [
  {
    what: "the runner is killed",
    async tamper(sandbox) {
      killRunners(sandbox);
      await delay(3000);
    },
    names: /chat-0\] drift: its runner came back once since it was verified/,
  },
  {
    what: "the runner is stopped",
    tamper: (sandbox) => supervisorctl(sandbox, "stop", "all"),
    names: /chat-0\] drift: its runner is stopped \(STOPPED/,
  },
  {
    what: "a package of the environment is changed",
    tamper: (sandbox) => appendFileSync(join(sitePackages(sandbox), "six.py"), "\n# changed\n"),
    names: /fake_1\] drift: lib\/.*\/six\.py has \d+ bytes, expected \d+/,
  },
  {
    what: "a package of the environment is changed, its size kept",
    rare: true,
    tamper(sandbox) {
      const file = join(sitePackages(sandbox), "six.py");
      writeFileSync(file, readFileSync(file, "utf8").replace("Copyright", "copyright"));
    },
    names: /fake_1\] drift: lib\/.*\/six\.py was changed/,
  },
  {
    what: "a file is added to the environment",
    rare: true,
    tamper: (sandbox) => writeFileSync(join(sitePackages(sandbox), "sitecustomize.py"), "import os\n"),
    names: /fake_1\] drift: lib\/.*\/sitecustomize\.py was added/,
  },
  {
    what: "the link to the executable is removed",
    rare: true,
    tamper: (sandbox) => unlinkSync(join(sandbox.dataDir, "bin", "fake_1")),
    names: /fake_1\] drift: .*bin\/fake_1 does not lead to the installation/,
  },
  {
    what: "the model file is truncated",
    tamper: (sandbox) => truncateSync(join(sandbox.dataDir, modelFile), 3),
    names: /drift: model\.txt has 3 bytes, expected 13/,
  },
  {
    what: "the model file is changed, its size kept",
    rare: true,
    tamper: (sandbox) => writeFileSync(join(sandbox.dataDir, modelFile), "a goof model\n"),
    names: /drift: model\.txt was changed: sha256 [0-9a-f]{64}, expected [0-9a-f]{64}/,
  },
  {
    what: "the model file is deleted",
    tamper: (sandbox) => unlinkSync(join(sandbox.dataDir, modelFile)),
    names: /drift: model\.txt is missing/,
  },
  {
    what: "the supervisor is killed and its runner goes on",
    tamper: killSupervisor,
    names: /chat-0\] drift: its supervisor does not run/,
  },
  {
    what: "all that Berth needs for itself is deleted",
    tamper: (sandbox) => rmSync(join(sandbox.dataDir, "tools"), { recursive: true }),
    names: /chat-0\] drift: its supervisor does not run/,
  },
  {
    what: "the machine restarts: neither supervisor nor runner came back",
    rare: true,
    tamper(sandbox) {
      killSupervisor(sandbox);
      killRunners(sandbox);
    },
    names: /chat-0\] drift: its supervisor does not run/,
  },
  {
    what: "the runner's arguments are changed in its start file",
    rare: true,
    tamper(sandbox) {
      const file = join(generation(sandbox), "exec.json");
      writeFileSync(file, readFileSync(file, "utf8").replace('"chat"', '"tschat"'));
    },
    names: /chat-0\] drift: the file it is started from was changed/,
  },
  {
    what: "the supervisor's definition is changed",
    rare: true,
    tamper: (sandbox) => appendFileSync(programFile(sandbox), "\nnumprocs_start = 1\n"),
    names: /chat-0\] drift: its definition in the supervisor was changed/,
  },
  {
    what: "the instance's record is deleted",
    rare: true,
    tamper: (sandbox) => unlinkSync(join(sandbox.dataDir, instance, "record.json")),
    names: /chat-0\] drift: runs, but its record is gone: [0-9a-f]{12}/,
  },
  {
    what: "the journal entry is deleted",
    rare: true,
    tamper: (sandbox) => unlinkSync(journalFile(sandbox, "Instance+chat-0")),
    names: /chat-0\] drift: is gone from the host/,
  },
  {
    what: "everything of Berth is deleted from the host while the runner goes on",
    tamper(sandbox) {
      for (const name of readdirSync(sandbox.dataDir)) rmSync(join(sandbox.dataDir, name), { recursive: true });
    },
    names: /local\] drift: is gone from the host/,
  },
];

describe("drift", () => {
  let server: FileServer;
  let sandbox: Sandbox;

  beforeAll(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
    sandbox.writeStack(fakeStack(server, sandbox.portRange, { chat: {} }));
    expect((await sandbox.up()).exitCode).toBe(0);
  });
  afterAll(async () => {
    await sandbox.dispose();
    await server.close();
  });

  for (const { what, tamper, names, rare = false } of tamperings) {
    it.runIf(runAll || !rare)(`is named by refresh and mended by one up: ${what}`, async () => {
      await tamper(sandbox);
      expect(await sandbox.refreshDrift()).toMatch(names);

      const { exitCode, output } = await sandbox.up();
      expect(output).not.toContain("error:");
      expect(exitCode).toBe(0);
      expect(sandbox.runners()).toHaveLength(1);
      expect(existsSync(join(sandbox.dataDir, modelFile))).toBe(true);
    });
  }

  it("is gone at the end", async () => {
    const { exitCode, output } = await sandbox.up(["--expect-no-changes"]);
    expect(output).toContain("6 unchanged");
    expect(exitCode).toBe(0);
  });
});
