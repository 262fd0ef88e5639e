import { firstLookScript } from "../../../src/host/first-look.js";
import type { RunResult } from "../../../src/host/host.js";
import { LocalHost } from "../../../src/host/local.js";

export const hangs = { exitCode: 124, stdout: "", stderr: "" } as const;

/** A host whose commands answer by a table; what is not in it is not installed. `look` is what the first look tells. */
export class ToolHost extends LocalHost {
  /** Every command that was run, in order. */
  readonly asked: string[] = [];
  readonly #answers: Readonly<Record<string, string | RunResult>>;

  constructor(answers: Readonly<Record<string, string | RunResult>>) {
    super("box", { PATH: "/nowhere", HOME: "/" });
    this.#answers = answers;
  }

  override run(argv: readonly [string, ...string[]]): Promise<RunResult> {
    if (argv[2] === firstLookScript) return Promise.resolve(this.#look());
    const command = argv.join(" ");
    this.asked.push(command);
    const answer = this.#answers[command];
    if (typeof answer === "string") return Promise.resolve({ exitCode: 0, stdout: answer, stderr: "" });
    const installed = Object.keys(this.#answers).some((known) => known.split(" ")[0] === argv[0]);
    const refused = { exitCode: installed ? 2 : 127, stdout: "", stderr: installed ? "no such option" : "" };
    return Promise.resolve(answer ?? refused);
  }

  #look(): RunResult {
    const { look = "", ...commands } = this.#answers;
    const names = new Set(Object.keys(commands).map((command) => command.split(" ")[0]));
    const lines = [typeof look === "string" ? look : look.stdout, ...[...names].map((name) => `command ${name}`)];
    return { exitCode: 0, stdout: lines.join("\n"), stderr: "" };
  }
}
