import { chmod, copyFile, readFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { execa } from "execa";
import semver from "semver";
import { messageOf, systemCode } from "../lib/errors.js";
import { formatSeconds, lastLines } from "../lib/format.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** Why a URL gives no answer at all, in a few words, or undefined when it answers, whatever it says. */
export type WhyNoAnswer = (url: string) => Promise<string | undefined>;

/** Where a CLI is made, and with what. */
export interface Workplace {
  /** Of the CLI to make, without a leading `v`. */
  version: string;
  /** Empty; gets the CLI and what belongs beside it, and nothing else. */
  folder: string;
  /** For everything else: on the same disk, and removed afterwards. */
  scratch: string;
  environment: Environment;
  packageRoot: string;
  report(line: string): void;
  whyNoAnswer: WhyNoAnswer;
}

/** Where a made CLI came from, or why it could not be made. */
export type Made = { detail: string } | { reason: string };

/** The `go` line of tools/pulumi/cli/go.mod, which is Pulumi's own. */
export const minimumGo = "1.25.11";

const downloadHost = "get.pulumi.com";
const answerSeconds = 5;
const progressSeconds = 10;
const downloadLimitMinutes = 30;
const buildSilenceMinutes = 5;

/** Anything else, such as a certificate that Node does not trust, comes from a host that answers. */
const silences = ["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT"];

export async function whyNoAnswer(url: string, seconds = answerSeconds): Promise<string | undefined> {
  try {
    const response = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(seconds * 1000) });
    await response.arrayBuffer();
    return undefined;
  } catch (error) {
    if (error instanceof Error && error.name === "TimeoutError") return `no answer within ${seconds} s`;
    const cause = error instanceof Error ? error.cause : undefined;
    const code = systemCode(cause) ?? "";
    return silences.includes(code) ? messageOf(cause) || code : undefined;
  }
}

/** The download of the npm package `pulumi`, which runs Pulumi's own install script. */
export async function downloadPulumi(work: Workplace): Promise<Made> {
  const { version, folder, scratch, environment, packageRoot } = work;
  const silence = await work.whyNoAnswer(`https://${downloadHost}/install.sh`);
  if (silence !== undefined) return { reason: `${downloadHost}: ${silence}` };
  const launcher = packageFile(packageRoot, "pulumi", "run.js");
  if (launcher === undefined) return { reason: `the npm package pulumi is not installed in ${packageRoot}` };
  await writeFile(join(scratch, ".curlrc"), await impatientCurl(environment));
  const places = { PULUMI_HOME: scratch, TMPDIR: scratch, CURL_HOME: scratch };
  const stopReporting = reportWhile(work, () => `downloading Pulumi ${version} from ${downloadHost}`);
  const run = await execa(process.execPath, [launcher, "version"], {
    env: { ...environment, ...places, PULUMI_VERSION: version, PULUMI_SKIP_UPDATE_CHECK: "true" },
    extendEnv: false,
    stdin: "ignore",
    all: true,
    reject: false,
    timeout: downloadLimitMinutes * 60_000,
  }).finally(stopReporting);
  if (run.timedOut) return { reason: `${downloadHost}: not done after ${downloadLimitMinutes} minutes` };
  if (run.failed) return { reason: `the npm package pulumi failed:\n${lastLines(run.all, 5)}` };
  await rename(join(scratch, "versions", version, "bin"), folder);
  return { detail: `downloaded from ${downloadHost}` };
}

/** The install script sets curl no limits. With these a dead mirror makes it turn to its other one. */
async function impatientCurl(environment: Environment): Promise<string> {
  const home = environment["CURL_HOME"] ?? environment["HOME"] ?? "/";
  const own = await readFile(join(home, ".curlrc"), "utf8").catch(() => "");
  return [own, "silent", "show-error", "connect-timeout = 5", "speed-limit = 1000", "speed-time = 30", ""].join("\n");
}

interface Program {
  name: string;
  /** The folder in tools/pulumi with its go.mod. */
  module: string;
  source: string;
  /** What it tells as its version; the CLI's when left out. */
  version?: string;
}

const programs: readonly Program[] = [
  { name: "pulumi", module: "cli", source: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi" },
  {
    name: "pulumi-language-nodejs",
    module: "language-nodejs",
    source: "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs",
    version: "3.68.0",
  },
];

/** A build with Go, from the modules that tools/pulumi pins, and the launcher of npm package `@pulumi/pulumi`. */
export async function buildPulumi(work: Workplace): Promise<Made> {
  const script = "pulumi-resource-pulumi-nodejs";
  const launcher = packageFile(work.packageRoot, "@pulumi/pulumi", script);
  if (launcher === undefined) {
    return { reason: `the npm package @pulumi/pulumi is not installed in ${work.packageRoot}` };
  }
  // No other Go than the one on PATH, no workspace around the modules, no C compiler.
  const environment: Environment = { ...work.environment, GOTOOLCHAIN: "local", GOWORK: "off", CGO_ENABLED: "0" };
  const told = await execa("go", ["version"], { env: environment, extendEnv: false, reject: false });
  const go = semver.coerce(told.stdout);
  if (told.failed || go === null) return { reason: "there is no go on PATH" };
  if (semver.lt(go, minimumGo)) return { reason: `go on PATH is ${go.version}, older than ${minimumGo}` };
  const silence = await moduleProxySilence(environment, work.whyNoAnswer);
  if (silence !== undefined) work.report(`${silence}; building with the modules that Go already has`);
  const env = silence === undefined ? environment : { ...environment, GOPROXY: "off" };
  const started = performance.now();
  for (const program of programs) {
    const failure = await compile(program, env, work);
    if (failure !== undefined) return { reason: silence === undefined ? failure : `${silence}\n${failure}` };
  }
  await copyFile(launcher, join(work.folder, script));
  await chmod(join(work.folder, script), 0o755);
  return { detail: `built with Go ${go.version} in ${formatSeconds((performance.now() - started) / 1000)}` };
}

/** Builds one program into the workplace's folder; returns why not. */
async function compile(program: Program, env: Environment, work: Workplace): Promise<string | undefined> {
  const version = program.version ?? work.version;
  const variable = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version";
  const stalled = new AbortController();
  const silence = setTimeout(() => stalled.abort(), buildSilenceMinutes * 60_000);
  let packages = 0;
  const stopReporting = reportWhile(work, () => `building ${program.name} ${version}: ${packages} packages`);
  const flags = ["-v", "-mod=readonly", "-trimpath", "-buildvcs=false"];
  const linking = ["-ldflags", `-s -w -X ${variable}=v${version}`, "-o", join(work.folder, program.name)];
  const run = await execa("go", ["build", ...flags, ...linking, program.source], {
    cwd: join(work.packageRoot, "tools", "pulumi", program.module),
    env,
    extendEnv: false,
    stdin: "ignore",
    reject: false,
    cancelSignal: stalled.signal,
    stderr: function* (line: unknown) {
      silence.refresh();
      if (!String(line).startsWith("go: downloading ")) packages += 1;
      yield line;
    },
  }).finally(stopReporting);
  clearTimeout(silence);
  if (run.isCanceled) return `go build ${program.source} said nothing for ${buildSilenceMinutes} minutes`;
  return run.failed
    ? `go build ${program.source} failed:\n${lastLines(run.stderr || (run.shortMessage ?? ""), 10)}`
    : undefined;
}

/** Why no Go module proxy answers; undefined also where only Go itself can tell. */
async function moduleProxySilence(env: Environment, whyNot: WhyNoAnswer): Promise<string | undefined> {
  const throughProxy = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].some((name) => env[name]);
  const { stdout } = await execa("go", ["env", "GOPROXY"], { env, extendEnv: false, reject: false });
  const [url] = stdout.split(/[,|]/).filter((part) => /^https?:/.test(part));
  if (url === undefined || throughProxy) return undefined;
  const { origin } = new URL(url);
  const silence = await whyNot(origin);
  return silence === undefined ? undefined : `${origin}: ${silence}`;
}

/** Reports a line now and every few seconds until the returned function is called. */
function reportWhile(work: Workplace, line: () => string): () => void {
  const started = performance.now();
  work.report(line());
  const timer = setInterval(
    () => work.report(`${line()}, ${formatSeconds((performance.now() - started) / 1000)}`),
    progressSeconds * 1000,
  );
  return () => clearInterval(timer);
}

/** A file of an npm package that is installed for Berth, or undefined. */
function packageFile(packageRoot: string, name: string, file: string): string | undefined {
  try {
    return join(dirname(createRequire(join(packageRoot, "package.json")).resolve(`${name}/package.json`)), file);
  } catch {
    return undefined;
  }
}
