import type { Host } from "../host/host.js";

/** What a file that is no program is executed by, as its first line says. */
export interface ScriptLine {
  readonly interpreter: string;
  /** Given to the interpreter before the script's path: all that follows, blanks too. */
  readonly argument: string | undefined;
}

const lineBytes = 256;

/** Undefined for a program, and for a file that cannot be read. */
export async function readScriptLine(host: Pick<Host, "run">, path: string): Promise<ScriptLine | undefined> {
  const { exitCode, stdout } = await host.run(["head", "-c", String(lineBytes), path], { timeoutSeconds: 60 });
  return exitCode === 0 ? parseScriptLine(stdout) : undefined;
}

/** As Linux reads it (execve(2)). */
export function parseScriptLine(text: string): ScriptLine | undefined {
  const [, interpreter, argument] = /^#![ \t]*([^ \t\n]+)(?:[ \t]+([^\n]*?))?[ \t]*(?:\n|$)/.exec(text) ?? [];
  if (interpreter === undefined) return undefined;
  return { interpreter, argument: argument === "" ? undefined : argument };
}
