import { rm, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { z } from "zod";

import { sendRequest } from "../host/http.js";
import { BerthError, systemCode } from "../lib/errors.js";
import { lockPath, readLock } from "../lock/lock-file.js";
import { Display } from "./display.js";
import { followLog } from "./follow-log.js";
import { describeLock, solveLock } from "./lock.js";
import { isAbandoned, recoverStack } from "./recover.js";
import { obtainPulumi } from "./toolchain.js";
import { packageRoot, prepareState, Pulumi, stackFileOf, type Environment, type Workplace } from "./workplace.js";

export interface QuickstartOptions {
  purge?: boolean;
}

const stack = "local";
const deployment = "chat";
const prompt = "The capital of France is";
const answerSeconds = 60;
/** Downloads of the stack's host. */
const cache = join(".berth", "host", "cache");

/** Serves the model of `stacks/local.yaml` on this machine, or takes it away again. */
export async function quickstart(
  workplace: Workplace,
  what = "up",
  { purge = false }: QuickstartOptions = {},
): Promise<void> {
  const display = new Display({
    isTerminal: process.stdout.isTTY && workplace.environment.CI === undefined,
    stream: process.stdout,
    print: (text) => workplace.print(text),
    now: () => performance.now() / 1000,
  });
  if (what === "up" && !purge) return bringUp(workplace, display);
  if (what === "down") return takeDown(workplace, display, purge);
  throw new BerthError("usage", {
    what: "the quickstart goes up or down",
    got: `${what}${purge ? " --purge" : ""}`,
    expected: "up, down, or down --purge",
  });
}

async function bringUp(workplace: Workplace, display: Display): Promise<void> {
  const pulumi = await prepare(workplace, display);
  await display.phase("lock", async () =>
    describeLock(await solveLock(workplace, stack, { frozen: false, anew: false })),
  );
  await display.phase("up", () => up(workplace, pulumi, display));
  const deployed = await readOutputs(pulumi);
  await display.phase("answer", async () => `"${prompt}${await complete(deployed.endpoint)}"`);
  workplace.print(await summary(workplace, deployed));
}

/** The CLI, the state, and the stack in it. */
async function prepare(workplace: Workplace, display: Display): Promise<Pulumi> {
  const { environment, root } = workplace;
  let pulumi: Pulumi | undefined;
  await display.phase("pulumi", async () => {
    const report = (line: string) => workplace.print(`   ${line}`);
    const toolchain = await obtainPulumi({ environment, packageRoot, report });
    pulumi = new Pulumi(root, toolchain, {
      ...environment,
      ...(await prepareState(root)),
      PATH: `${toolchain.binDir}:${environment.PATH ?? ""}`,
      PULUMI_CONFIG_PASSPHRASE: undefined,
      PULUMI_SKIP_UPDATE_CHECK: "true",
      // Nothing here needs a plugin that would have to be downloaded.
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    });
    return toolchain.detail;
  });
  if (pulumi === undefined) throw new Error("unreachable: the phase has made it");
  const found = pulumi;
  await display.phase("state", () => prepareStack(found));
  return found;
}

async function prepareStack(pulumi: Pulumi): Promise<string> {
  const { exitCode } = await pulumi.run(["stack", "select", stack]);
  if (exitCode !== 0) {
    await pulumi.expect(["stack", "init", stack]);
    return `.berth/state, stack ${stack} is new`;
  }
  if (!(await isAbandoned(pulumi, stack))) return `.berth/state, stack ${stack}`;
  await recoverStack(pulumi, stack);
  return `.berth/state, stack ${stack}; recovered from a run that was killed`;
}

async function up({ root }: Workplace, pulumi: Pulumi, display: Display): Promise<string> {
  const output = await runFollowed(root, pulumi, ["up", "--yes", "--skip-preview", "--stack", stack], display);
  return (
    /^Resources:\n((?: {4}.*\n)+)/m
      .exec(`${output}\n`)?.[1]
      ?.trim()
      .replace(/\s*\n\s*/g, ", ") ?? "done"
  );
}

/** Runs Pulumi and shows what Berth's operations tell meanwhile. Pulumi's own output is kept in a file. */
async function runFollowed(root: string, pulumi: Pulumi, args: readonly string[], display: Display): Promise<string> {
  const log = join(root, ".berth", "logs", `${new Date().toISOString().replaceAll(":", "-")}-quickstart.jsonl`);
  const more: Environment = { BERTH_LOG_FILE: log };
  const running = pulumi.expect(args, more);
  await followLog(log, running, (event) => display.event(event));
  const output = await running;
  await writeFile(join(root, ".berth", "pulumi.log"), output);
  return output;
}

const outputs = z.object({
  deployments: z.record(
    z.string(),
    z.object({
      endpoint: z.string(),
      backend: z.string(),
      backendVersion: z.string(),
      artifactSha256: z.string(),
      modelSha256: z.string(),
    }),
  ),
});
type Deployed = z.output<typeof outputs>["deployments"][string];

async function readOutputs(pulumi: Pulumi): Promise<Deployed> {
  const { deployments } = outputs.parse(
    JSON.parse(await pulumi.expect(["stack", "output", "--json", "--stack", stack])),
  );
  const deployed = deployments[deployment];
  if (deployed === undefined)
    throw new BerthError("pulumi-failed", { what: `the stack has no output for ${deployment}` });
  return deployed;
}

/** One real completion. */
async function complete(endpoint: string): Promise<string> {
  const url = new URL(endpoint);
  const answer = await sendRequest({
    address: url.hostname,
    port: Number(url.port),
    method: "POST",
    path: `${url.pathname}/completions`,
    body: JSON.stringify({ model: deployment, prompt, max_tokens: 24, temperature: 0 }),
    timeoutSeconds: answerSeconds,
  });
  const parsed = z.object({ choices: z.array(z.object({ text: z.string() })).min(1) });
  const completion = answer.kind === "answered" ? parsed.safeParse(JSON.parse(answer.body)) : undefined;
  const text = completion?.success === true ? completion.data.choices[0]?.text : undefined;
  if (text !== undefined) return text;
  throw new BerthError("runner-failed", {
    where: endpoint,
    what: "the model gave no completion",
    got: JSON.stringify(answer),
  });
}

async function summary({ root }: Workplace, deployed: Deployed): Promise<string> {
  const path = lockPath(stackFileOf(root, stack));
  const lock = await readLock(join(root, path), path);
  const body = JSON.stringify({ model: deployment, prompt: "Once upon a time", max_tokens: 32 });
  return `
endpoint   ${deployed.endpoint}  (OpenAI API, model "${deployment}")
backend    ${deployed.backend} ${deployed.backendVersion}  packages sha256:${deployed.artifactSha256}
model      ${lock?.release[deployment]?.model.file ?? ""}  sha256:${deployed.modelSha256}
lock       ${path} ${lock?.id.slice(0, 7) ?? ""}

Ask it something:
  curl ${deployed.endpoint}/completions -H 'content-type: application/json' -d '${body}'
Take it away again:
  npm run quickstart -- down`;
}

async function takeDown(workplace: Workplace, display: Display, purge: boolean): Promise<void> {
  const { root } = workplace;
  const pulumi = await prepare(workplace, display);
  await display.phase("down", async () => {
    await runFollowed(root, pulumi, ["destroy", "--yes", "--skip-preview", "--stack", stack], display);
    await pulumi.expect(["stack", "rm", "--yes", "--stack", stack]);
    return "nothing runs any more";
  });
  await display.phase("clean", () => clean(root, pulumi, purge));
}

/** Removes what the quickstart has made. Of what it shares with other stacks it takes nothing while there are any. */
async function clean(root: string, pulumi: Pulumi, purge: boolean): Promise<string> {
  const remove = (path: string) => rm(join(root, path), { recursive: true, force: true });
  const others = await listStacks(pulumi);
  const shared = ["state", "passphrase", "logs"].map((name) => join(".berth", name));
  const own = [join(".berth", "pulumi.log"), lockPath(stackFileOf(root, stack)), `Pulumi.${stack}.yaml`];
  for (const path of [...own, ...(others.length === 0 ? shared : []), ...(purge ? [cache] : [])]) await remove(path);
  for (const folder of [dirname(cache), ".berth"]) await removeIfEmpty(join(root, folder));
  const kept = [
    ...(others.length === 0 ? [] : [`state, passphrase and logs, which stack ${others.join(", ")} needs`]),
    ...(purge ? [] : [`the downloads in ${cache} (--purge removes them)`]),
  ];
  return `removed everything${purge ? ", the downloads too" : ""}${kept.length === 0 ? "" : `, but kept ${kept.join(", and ")}`}`;
}

/** All stacks of the state, of other projects too. */
async function listStacks(pulumi: Pulumi): Promise<string[]> {
  const listed = z.array(z.object({ name: z.string() }));
  return listed.parse(JSON.parse(await pulumi.expect(["stack", "ls", "--all", "--json"]))).map(({ name }) => name);
}

async function removeIfEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch((error: unknown) => {
    if (!["ENOENT", "ENOTEMPTY", "EEXIST"].includes(systemCode(error) ?? "")) throw error;
  });
}
