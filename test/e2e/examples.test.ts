import { cpSync } from "node:fs";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { Sandbox, type Outcome } from "../support/sandbox.js";
import { repository } from "../support/toolchain.js";

/**
 * The examples as they are committed, with the real engine and model. They follow each other in one folder, as two
 * projects with one data directory, so that the second finds the downloads of the first.
 */
describe("the examples", () => {
  let sandbox: Sandbox;

  beforeAll(async () => {
    sandbox = await Sandbox.create();
  });
  afterAll(async () => {
    await destroy();
    await sandbox.dispose();
  });

  async function open(example: string): Promise<void> {
    const listed = ["ls-files", "--cached", "--others", "--exclude-standard"];
    const folder = join(repository, "examples", example);
    const { stdout } = await execa("git", listed, { cwd: folder });
    for (const file of stdout.split("\n")) cpSync(join(folder, file), sandbox.path(file));
    const { exitCode, output } = await sandbox.pulumi(["stack", "init", "dev"]);
    expect(exitCode, output).toBe(0);
  }

  function up(...args: string[]): Promise<Outcome> {
    return sandbox.pulumi(["up", "--yes", "--skip-preview", "--stack", "dev", ...args]);
  }

  function destroy(): Promise<Outcome> {
    return sandbox.pulumi(["destroy", "--yes", "--skip-preview", "--stack", "dev"]);
  }

  async function outputs(): Promise<unknown> {
    return JSON.parse((await sandbox.pulumi(["stack", "output", "--json", "--stack", "dev"])).output);
  }

  function ask(endpoint: string, model: string, headers: Record<string, string> = {}): Promise<Response> {
    const body = JSON.stringify({ model, prompt: "The capital of France is", max_tokens: 24, temperature: 0 });
    const type = { "content-type": "application/json" };
    return fetch(`${endpoint}/completions`, { method: "POST", headers: { ...type, ...headers }, body });
  }

  /** The model is small but real: it knows this much. */
  async function expectAnswer(response: Response): Promise<void> {
    const { choices } = (await response.json()) as { choices: { text: string }[] };
    expect(choices[0]?.text).toMatch(/capital|city|country|Paris/);
  }

  describe("program", () => {
    beforeAll(() => open("program"));

    const endpoint = () => `http://127.0.0.1:${sandbox.portRange[0]}/v1`;

    it("serves a model on the host and the port that the program decides, and exports the endpoint", async () => {
      await sandbox.pulumi(["config", "set", "port", String(sandbox.portRange[0]), "--stack", "dev"]);
      const { exitCode, output } = await up();
      expect(exitCode, output).toBe(0);
      expect(await outputs()).toEqual({ endpoint: endpoint() });
      await expectAnswer(await ask(endpoint(), "chat"));
    });

    it("changes nothing the second time, and leaves no runner when it is destroyed", async () => {
      expect((await up("--expect-no-changes")).exitCode).toBe(0);
      const { exitCode, output } = await destroy();
      expect(exitCode, output).toBe(0);
      await expect(ask(endpoint(), "chat")).rejects.toThrow("fetch failed");
    });
  });

  describe("two-deployments", () => {
    beforeAll(() => open("two-deployments"));

    it("asks for its secret by name before it touches anything", async () => {
      const { exitCode, output } = await up();
      expect(exitCode).not.toBe(0);
      expect(output).toContain("pulumi config set --secret berth:team-key");
      expect(await outputs()).toEqual({});
    });

    it("serves both, one of them only to those who have the key", async () => {
      await sandbox.pulumi(["config", "set", "--secret", "berth:team-key", "open-sesame", "--stack", "dev"]);
      const { exitCode, output } = await up();
      expect(exitCode, output).toBe(0);
      const { chat, team } = (await outputs()) as { chat: string; team: string };
      await expectAnswer(await ask(chat, "chat"));
      expect((await ask(team, "team")).status).toBe(401);
      await expectAnswer(await ask(team, "team", { authorization: "Bearer open-sesame" }));
    });

    it("shows both in its status, and leaves no runner when it is destroyed", async () => {
      const { output: status } = await sandbox.berth(["status", "dev"]);
      expect(status).toMatch(/^ chat-0 .* answered .* none +$/m);
      expect(status).toMatch(/^ team-0 .* answered .* none +$/m);
      const { exitCode, output } = await destroy();
      expect(exitCode, output).toBe(0);
    });
  });
});
