import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { obtainPulumi, pulumiVersion, type Toolchain } from "../../src/cli/toolchain.js";

const repository = join(import.meta.dirname, "..", "..");
const minutes = 60_000;

const program = `
import * as pulumi from "@pulumi/pulumi";

const provider = { create: async () => ({ id: "1", outs: {} }), check: async (olds, news) => ({ inputs: news }) };

class Thing extends pulumi.dynamic.Resource {}

export const id = new Thing(provider, "thing", {}).id;
`;

let root = "";
let toolchain: Toolchain;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "berth-toolchain-"));
  toolchain = await obtainPulumi({
    environment: { ...process.env, PULUMI_HOME: join(root, "home") },
    packageRoot: repository,
    report: (line) => console.log(line),
    sources: ["built with go"],
  });
}, 20 * minutes);
afterAll(() => rm(root, { recursive: true, force: true }));

async function pulumi(...args: string[]): Promise<string> {
  const { stdout } = await execa(join(toolchain.binDir, "pulumi"), args, {
    cwd: join(root, "project"),
    env: {
      PATH: [toolchain.binDir, process.env["PATH"]].join(delimiter),
      PULUMI_HOME: join(root, "home"),
      PULUMI_BACKEND_URL: `file://${join(root, "state")}`,
      PULUMI_CONFIG_PASSPHRASE: "only for this test",
      PULUMI_SKIP_UPDATE_CHECK: "true",
    },
  });
  return stdout;
}

it("builds a CLI into the cache that tells the pinned version", async () => {
  console.log(toolchain.detail);
  expect(toolchain.source).toBe("built with go");
  expect(toolchain.binDir).toBe(join(root, "home", "versions", pulumiVersion, "bin"));
  expect((await execa(join(toolchain.binDir, "pulumi"), ["version"])).stdout).toBe(`v${pulumiVersion}`);
});

it(
  "previews and creates a dynamic resource of a Node program with it",
  async () => {
    await mkdir(join(root, "state"));
    await mkdir(join(root, "project"));
    await symlink(join(repository, "node_modules"), join(root, "project", "node_modules"));
    const project = { name: "toolchain", runtime: { name: "nodejs", options: { typescript: false } }, main: "main.js" };
    await writeFile(join(root, "project", "Pulumi.yaml"), JSON.stringify(project));
    await writeFile(join(root, "project", "package.json"), JSON.stringify({ type: "module", main: "main.js" }));
    await writeFile(join(root, "project", "main.js"), program);
    await pulumi("stack", "init", "test");
    expect(await pulumi("preview", "--non-interactive")).toMatch(/\+ 2 to create/);
    expect(await pulumi("up", "--yes", "--skip-preview", "--non-interactive")).toMatch(/\+ 2 created/);
    expect(await pulumi("stack", "output", "id")).toBe("1");
  },
  5 * minutes,
);
