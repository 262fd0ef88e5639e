import { readdirSync, readFileSync } from "node:fs";

const everyMilliseconds = 50;

/** Looks again and again at the arguments of all processes of this machine, which any user may read, for some texts. */
export class ProcessWatch {
  /** Command lines that held one of the texts. */
  readonly found = new Set<string>();
  /** How many different command lines were seen. */
  readonly #seen = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(texts: readonly string[]) {
    this.#timer = setInterval(() => this.#look(texts), everyMilliseconds);
  }

  /** Whether a command line with this text was seen: that the watch looked at the right time. */
  hasSeen(text: string): boolean {
    return [...this.#seen].some((line) => line.includes(text));
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(texts: readonly string[]): void {
    for (const pid of readdirSync("/proc")) {
      const line = /^\d+$/.test(pid) ? commandLine(pid) : "";
      this.#seen.add(line);
      if (texts.some((text) => line.includes(text))) this.found.add(line);
    }
  }
}

/** Empty for a process that is gone by now. */
function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}
