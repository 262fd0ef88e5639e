import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { repository, toolchain } from "../support/toolchain.js";

/**
 * Whether the CLI is obtained as on a machine that has none. Without an offline folder that may take a build, which is
 * left to CI: otherwise the CLI comes from the cache that the other tests share.
 */
const isFresh = process.env.BERTH_TOOLCHAIN !== undefined || process.env.BERTH_TEST_ALL === "1";

/** The two commands of the README, as somebody runs them who has just cloned the repository. */
describe("the quickstart from a clean clone", () => {
  let clone: string;

  beforeAll(async () => {
    if (!isFresh) await toolchain();
    clone = mkdtempSync(join(tmpdir(), "berth-clone-"));
    const { stdout } = await execa("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
      cwd: repository,
    });
    for (const file of stdout.split("\n").filter((name) => existsSync(join(repository, name)))) {
      cpSync(join(repository, file), join(clone, file), { recursive: true });
    }
  });
  afterAll(async () => {
    await run("down", "--purge");
    rmSync(clone, { recursive: true, force: true });
  });

  async function run(...args: string[]): Promise<{ exitCode: number; output: string }> {
    const own = isFresh ? { PULUMI_HOME: join(clone, "pulumi-home") } : {};
    const environment = Object.entries(process.env).filter(
      ([name]) => !/^(npm_|PULUMI_|NODE_OPTIONS|VITEST)/.test(name),
    );
    const { exitCode, all } = await execa("npm", ["run", "quickstart", ...(args.length === 0 ? [] : ["--", ...args])], {
      cwd: clone,
      env: { ...Object.fromEntries(environment), ...own },
      extendEnv: false,
      all: true,
      reject: false,
    });
    return { exitCode: exitCode ?? -1, output: all };
  }

  /** Runs `pulumi` in a shell that `berth env` has prepared. */
  async function pulumi(command: string): Promise<{ exitCode: number; output: string }> {
    const script = `eval "$(node ${join(clone, "dist", "cli", "main.js")} env)" && pulumi ${command} --non-interactive`;
    const { exitCode, all } = await execa("bash", ["-c", script], { cwd: clone, all: true, reject: false });
    return { exitCode: exitCode ?? -1, output: all };
  }

  it("does all set-up, and ends with the endpoint, what is pinned, a curl line and a real completion", async () => {
    const { exitCode, output } = await run();
    expect(exitCode, output).toBe(0);
    for (const phase of ["0  set up", "1  pulumi", "2  state", "3  lock", "4  up", "5  answer"]) {
      expect(output).toMatch(new RegExp(`^${phase} .* \\((\\d+ min )?\\d+(\\.\\d)? s\\)$`, "m"));
    }
    expect(output).toMatch(/^endpoint {3}http:\/\/127\.0\.0\.1:\d+\/v1 /m);
    expect(output).toMatch(/^backend {4}llama-cpp 2026\.10\.11549 {2}packages sha256:[0-9a-f]{64}$/m);
    expect(output).toContain("sha256:a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818");
    // The model is small but real: it knows this much.
    expect(output).toMatch(/"The capital of France is .*(capital|city|country|Paris)/);
    expect(output).toMatch(/^model\.gguf: .* of |^ {3}model\.gguf: .* of /m);
  });

  it("gives a curl line that works", async () => {
    const { output } = await run();
    const line = /^ {2}(curl .*)$/m.exec(output)?.[1] ?? "";
    const [, url = "", body = ""] = /^curl (\S+) -H 'content-type: application\/json' -d '(.*)'$/.exec(line) ?? [];
    const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
    const { choices } = (await response.json()) as { choices: { text: string }[] };
    expect(choices[0]?.text.length).toBeGreaterThan(10);
  });

  it("changes nothing the second time", async () => {
    const { exitCode, output } = await run();
    expect(exitCode, output).toBe(0);
    expect(output).toContain("nothing to do");
    expect(output).toMatch(/^4 {2}up {9} *6 unchanged/m);
  });

  it("keeps the state to its user: a random passphrase of mode 0600, never an empty one", () => {
    const { mode, size } = statSync(join(clone, ".berth", "passphrase"));
    expect(mode & 0o777).toBe(0o600);
    expect(size).toBeGreaterThan(40);
  });

  it("refuses to solve a lock while locks are frozen", async () => {
    const lock = join(clone, "stacks", "local.lock.yaml");
    const text = readFileSync(lock, "utf8");
    rmSync(lock);
    vi.stubEnv("BERTH_FROZEN", "1");
    const { exitCode, output } = await run();
    vi.unstubAllEnvs();
    writeFileSync(lock, text);
    expect(output).toContain("stacks/local.lock.yaml: the lock is missing");
    expect(exitCode).not.toBe(0);
  });

  it("prepares a shell for plain Pulumi", async () => {
    const { exitCode, output } = await pulumi("preview --stack local --expect-no-changes");
    expect(output).toContain("6 unchanged");
    expect(exitCode).toBe(0);
  });

  it("goes down and leaves what another stack needs: its state, the passphrase, the logs", async () => {
    await pulumi("stack init other");
    await pulumi("config set --secret key hunter2 --stack other");
    const { exitCode, output } = await run("down");
    expect(exitCode, output).toBe(0);
    expect(output).toMatch(/^\d {2}clean .* kept state, passphrase and logs, which stack \S*other needs/m);
    expect(readdirSync(join(clone, ".berth"))).toEqual(["host", "logs", "passphrase", "state"]);
    expect(existsSync(join(clone, "Pulumi.local.yaml"))).toBe(false);
    expect((await pulumi("config get key --stack other")).output).toContain("hunter2");
    expect((await pulumi("stack ls")).output).not.toContain("local");
    await pulumi("stack rm --yes --stack other");
  });

  it("goes down and leaves the downloads, and with --purge not even these, but secrets in files", async () => {
    const down = await run("down");
    expect(down.exitCode, down.output).toBe(0);
    expect(readdirSync(join(clone, ".berth"))).toEqual(["host"]);
    expect(readdirSync(join(clone, ".berth", "host"))).toEqual(["cache"]);
    expect(existsSync(join(clone, "stacks", "local.lock.yaml"))).toBe(false);
    mkdirSync(join(clone, ".berth", "secrets"));
    const purged = await run("down", "--purge");
    expect(purged.exitCode, purged.output).toBe(0);
    expect(readdirSync(join(clone, ".berth"))).toEqual(["secrets"]);
    rmSync(join(clone, ".berth", "secrets"), { recursive: true });
    await run("down", "--purge");
    expect(existsSync(join(clone, ".berth"))).toBe(false);
  });
});
