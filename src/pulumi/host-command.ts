import type { Host, OpenHost } from "../host/host.js";
import { digest, type Json } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { printableLines } from "../lib/printable.js";
import { createRedact } from "../lib/redact.js";
import type { CommandHost } from "../planner/desired-commands.js";
import { BoundedOutput } from "./bounded-output.js";

/**
 * What @pulumi/command runs in place of a shell: Berth, which reaches hosts its own way. It stands in the state, so it
 * names no path and holds nothing that changes.
 */
export const interpreter: readonly string[] = [
  "node",
  "--input-type=module",
  "--eval",
  'await import("pulumi-berth/command");',
  "--",
];

/** The variable that has the {@link CommandRequest}. */
export const requestVariable = "BERTH_COMMAND";

/** Begins the text of an update, which runs only when the rest is another text than the one that ran last, or its place. */
export const onlyIfNew = "# only if its text is new\n";

/** Where a command runs, and how. Its text is an argument, so that previews show it. */
export interface CommandRequest {
  readonly host: CommandHost;
  readonly timeoutSeconds: number;
  /** Names of the variables of this process that the command gets. Their values are secrets. */
  readonly secrets: readonly string[];
}

export interface CommandEdges {
  readonly openHost: OpenHost;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where commands on this machine run. */
  readonly projectRoot: string;
  readonly signal: AbortSignal;
  /** Takes lines of output, without secrets: the first ones as they come, the last ones at the end. */
  readonly report: (line: string) => void;
}

/**
 * Runs a command on a host, unless it ran already. Returns the digest of its text and place, for the next update to compare.
 * What is reported is bounded, because Pulumi keeps that too.
 *
 * @throws BerthError `command-failed`; what a host that cannot be reached throws
 */
export async function runHostCommand(text: string, edges: CommandEdges): Promise<string> {
  const { environment } = edges;
  const request = JSON.parse(environment[requestVariable] ?? "null") as CommandRequest | null;
  if (request === null) throw new Error(`${requestVariable} is not set`);
  const isUpdate = text.startsWith(onlyIfNew);
  const command = isUpdate ? text.slice(onlyIfNew.length) : text;
  const ran = digest({ command, place: placeOf(request.host) });
  if (isUpdate && environment.PULUMI_COMMAND_STDOUT === ran) return ran;
  const env = Object.fromEntries(request.secrets.map((name) => [name, environment[name] ?? ""]));
  const redact = createRedact(Object.values(env));
  const output = new BoundedOutput(edges.report);
  try {
    await run(edges.openHost(request.host), command, env, request, {
      ...edges,
      // Before, because a secret may hold what is not printable; after, because colours may stand inside a secret.
      report: (line) => output.write(redact(printableLines(redact(line)))),
    });
  } catch (error) {
    throw error instanceof BerthError ? error.mapTexts(redact) : error;
  } finally {
    output.end();
  }
  return ran;
}

/** Who runs a command. Another address or port is the same host. */
function placeOf(host: CommandHost): Json {
  if (host.connection === "local") return { connection: "local" };
  const { user, sudo = "none" } = host.ssh;
  return { connection: "ssh", user, sudo };
}

async function run(
  host: Host,
  command: string,
  env: Readonly<Record<string, string>>,
  request: CommandRequest,
  { projectRoot, signal, report }: CommandEdges,
): Promise<void> {
  const { timeoutSeconds } = request;
  // What it says on both outputs, in its order.
  const merged = 'exec /bin/sh -c "$1" 2>&1';
  const { exitCode } = await host.run(["/bin/sh", "-c", merged, "sh", command], {
    env,
    timeoutSeconds,
    signal,
    ...(request.host.connection === "local" ? { cwd: projectRoot } : {}),
    onLine: report,
  });
  if (exitCode === 0) return;
  const where = `host ${request.host.name}`;
  const got = exitCode === 124 ? `exit code 124, as after ${timeoutSeconds} s` : `exit code ${exitCode}`;
  throw new BerthError("command-failed", { where, what: "the command failed", got });
}
