import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { execaSync } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { fakeStack, serveModels } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { Sandbox, type Outcome } from "../support/sandbox.js";
import { SshAccount, whyNoAccount } from "../support/ssh-account.js";
import { whyNoSshd } from "../support/ssh-server.js";

const offline = process.env.BERTH_TOOLCHAIN ?? "";
const missing = [
  whyNoSshd,
  whyNoAccount,
  execaSync("docker", ["info"], { reject: false }).exitCode === 0 ? undefined : "no Docker answers",
  offline === "" ? "BERTH_TOOLCHAIN names no folder with Pulumi's plugins" : undefined,
].find((reason) => reason !== undefined);
const isLeftOut = missing !== undefined && process.env.BERTH_TEST_ALL !== "1";

const key = "canary-key-5c1e77";
const token = "canary-token-b0a9";
const smoke = [
  `printf 'header = "Authorization: Bearer %s"\\n' "$BERTH_API_KEY"`,
  'curl --fail --silent --show-error --write-out "\\n" --config - {{endpoint}}/models >> "{{model_name}} answers"',
].join(" | ");

interface Wanted {
  model?: "good" | "other";
  /** Of this machine and of the other one. */
  setup?: string;
  remote?: string;
  verify?: string;
  objects?: string;
}

describe.skipIf(isLeftOut)(`what plugins of Pulumi do${isLeftOut ? ` (left out: ${missing})` : ""}`, () => {
  const run = process.pid;
  const foreign = `berth-test-${run}`;
  const outcomes: Outcome[] = [];
  let server: FileServer;
  let account: SshAccount;
  let sandbox: Sandbox;

  beforeAll(async () => {
    server = await serveModels();
    account = await SshAccount.create();
    sandbox = await Sandbox.create();
    sandbox.write("ssh-config", account.configuration());
    const secrets = ["--secret", "--stack", "test"];
    await sandbox.pulumi(["config", "set", "berth:team-key", key, ...secrets]);
    await sandbox.pulumi(["config", "set", "berth:token", token, ...secrets]);
    docker("volume", "create", foreign);
    docker("network", "create", foreign);
  });
  afterAll(async () => {
    const made = (kind: string) => docker(kind, "ls", ...owned).filter((name) => name.endsWith(`-${run}`));
    execaSync("docker", ["volume", "rm", "--force", foreign, ...made("volume")], { reject: false });
    execaSync("docker", ["network", "rm", foreign, ...made("network")], { reject: false });
    await sandbox.dispose();
    await account.dispose();
    await server.close();
  });

  function want({
    model = "good",
    setup = 'create: "test ! -e host/instances && echo done >> prepared"',
    remote = "id -un >> prepared",
    verify = smoke,
    objects = `networks: { net-${run}: { internal: true } }, volumes: { cache-${run}: {}, kept-${run}: { keep: true } }`,
  }: Wanted): void {
    const fields = [
      ...["host: local", "bindAddress: 0.0.0.0", "apiKey: { secret: team-key }"],
      `verify: { smoke: ${JSON.stringify(verify)}, far: { on: local, command: "pwd > far" } }`,
    ];
    const prepare = `{ ${setup}, delete: "rm prepared", secretEnv: { TOKEN: { secret: token } } }`;
    const box = [
      "  box:",
      "    connection: ssh",
      "    ssh: { address: box, configFile: ssh-config }",
      `    setup: { who: { create: ${JSON.stringify(remote)}, delete: "rm prepared" } }`,
    ];
    const stack = fakeStack(server, sandbox.portRange, { chat: { model, fields } })
      .replace("{ connection: local,", `{ setup: { prepare: ${prepare} }, ${objects}, connection: local,`)
      .replace("deployments:", [...box, "deployments:"].join("\n"));
    sandbox.writeStack(stack);
  }

  async function pulumi(...args: string[]): Promise<Outcome> {
    const outcome = await sandbox.pulumi([...args, "--stack", "test"], { XDG_RUNTIME_DIR: account.folder });
    outcomes.push(outcome);
    return outcome;
  }

  async function up(...more: string[]): Promise<string> {
    const { exitCode, output } = await pulumi("up", "--yes", "--skip-preview", ...more);
    expect(exitCode, output).toBe(0);
    return output;
  }

  function docker(...args: string[]): string[] {
    return execFileSync("docker", args, { encoding: "utf8" }).trim().split("\n").filter(Boolean);
  }

  const lines = (path: string) => (existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : []);
  const prepared = () => lines(sandbox.path("prepared"));
  const preparedRemotely = () => lines(join(account.home, "prepared"));
  const answers = () => lines(sandbox.path("chat answers"));
  const owned = ["--filter", "label=berth.owner=sandbox/test", "--format", "{{.Name}}"];

  it("prepares hosts before anything else of Berth is made, here and by ssh, and checks what serves", async () => {
    want({});
    await up();
    expect(prepared()).toEqual(["done"]);
    expect(preparedRemotely()).toEqual([account.name]);
    expect(answers()).toEqual([expect.stringContaining('"chat"')]);
    expect(lines(sandbox.path("far"))).toEqual([sandbox.root]);
  });

  it("makes the host's networks and volumes, labelled as Berth's", () => {
    expect(docker("network", "ls", ...owned)).toEqual([`berth_sandbox_test_local_net-${run}`]);
    expect(docker("volume", "ls", ...owned).sort()).toEqual([
      `berth_sandbox_test_local_cache-${run}`,
      `berth_sandbox_test_local_kept-${run}`,
    ]);
  });

  it("does nothing again when nothing was changed", async () => {
    await up("--expect-no-changes");
    expect([prepared(), preparedRemotely(), answers()].map(({ length }) => length)).toEqual([1, 1, 1]);
  });

  it("prepares a host again when the text is another, not when something beside it is; checks each generation", async () => {
    const setup = 'create: "test ! -e host/instances && echo done >> prepared", timeout: 20m';
    want({ setup, remote: "echo again >> prepared", model: "other" });
    await up();
    expect(prepared()).toEqual(["done"]);
    expect(preparedRemotely()).toEqual([account.name, "again"]);
    expect(answers()).toHaveLength(2);
  });

  it("fails with what a check says, without its secrets, and checks again next time", async () => {
    const broken = 'echo "no answer to $BERTH_API_KEY" >&2; exit 3';
    // More than Linux takes as one variable: what undoes it, in the end, gets what it said.
    const setup = 'create: "seq 50000; echo $TOKEN; echo $TOKEN >> prepared"';
    want({ verify: broken, setup, remote: "echo again >> prepared", model: "other" });
    for (const _ of ["once", "again"]) {
      const { exitCode, output } = await pulumi("up", "--yes", "--skip-preview");
      expect(exitCode).not.toBe(0);
      expect(output).toContain("no answer to [secret]");
      expect(output).toContain("host local: the command failed\n");
      expect(output).toContain("got: exit code 3");
    }
    expect(prepared()).toEqual(["done", token]);
  });

  it("keeps secrets out of output, arguments, lock and the state's plain text", async () => {
    await pulumi("preview", "--diff");
    const { output: exported } = await pulumi("stack", "export");
    expect(exported.match(/"(?:stdout|stderr)": (?!\{\s*"4dabf18193072939515e22adb298388d")/g)).toBeNull();
    expect(exported).toMatch(/"stderr": \{/);
    const state = sandbox.path(".berth", "state");
    const files = readdirSync(state, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const texts = [
      ...outcomes.map(({ output }) => output),
      ...files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), "utf8")),
      readFileSync(sandbox.path("stacks", "test.lock.yaml"), "utf8"),
    ];
    expect(texts.filter((text) => text.includes(key) || text.includes(token))).toEqual([]);
    expect(texts.some((text) => text.includes("BERTH_COMMAND"))).toBe(true);
  });

  it("undoes what it did, and nothing of others", async () => {
    const { exitCode, output } = await pulumi("destroy", "--yes", "--skip-preview");
    expect(exitCode, output).toBe(0);
    expect([prepared(), preparedRemotely()]).toEqual([[], []]);
    expect(docker("network", "ls", ...owned)).toEqual([]);
    expect(docker("volume", "ls", ...owned)).toEqual([`berth_sandbox_test_local_kept-${run}`]);
    expect(docker("volume", "ls", "--quiet", "--filter", `name=${foreign}`)).toEqual([foreign]);
    expect(docker("network", "ls", "--filter", `name=${foreign}`, "--format", "{{.Name}}")).toEqual([foreign]);
  });
});
