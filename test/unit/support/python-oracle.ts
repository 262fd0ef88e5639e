import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { afterAll, beforeAll } from "vitest";
import { z } from "zod";

/**
 * Asks one Python process for the truth, in all tests of the file that calls this.
 *
 * @param program defines `answer(question)`; both sides are JSON values
 * @returns the function that asks one question; many in one array are quicker
 */
export function pythonOracle<T>(program: string, answerSchema: z.ZodType<T>): (question: unknown) => Promise<T> {
  const loop =
    "import json, sys\nfor line in sys.stdin:\n    print(json.dumps(answer(json.loads(line))), flush=True)\n";
  let python: ChildProcessWithoutNullStreams;
  let closed: Promise<unknown> | undefined;
  let answers: AsyncIterator<string>;

  beforeAll(async () => {
    python = spawn("python3", ["-X", "utf8", "-c", `${program}\n${loop}`]);
    python.stderr.pipe(process.stderr);
    await once(python, "spawn");
    closed = once(python, "close");
    answers = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
  });
  afterAll(async () => {
    if (closed === undefined) return;
    python.stdin.end();
    await closed;
  });

  return async (question) => {
    python.stdin.write(`${JSON.stringify(question)}\n`);
    const answer = await answers.next();
    if (answer.done === true) throw new Error("python3 ended; its output tells why");
    return answerSchema.parse(JSON.parse(answer.value));
  };
}

/** Asks Python's `shlex` for the words of a text; null where it refuses the text. */
export function shlexOracle(): (text: string) => Promise<string[] | null> {
  const program = `
import shlex
def answer(text):
    try:
        return shlex.split(text, comments=False, posix=True)
    except ValueError:
        return None
`;
  return pythonOracle(program, z.array(z.string()).nullable());
}
