import cliProgress, { type MultiBar, type SingleBar } from "cli-progress";

import { formatBytes, formatSeconds } from "../lib/format.js";
import type { LogEvent, Parts } from "../lib/log.js";

export interface DisplayOptions {
  /** Bars that move, instead of lines now and then. */
  readonly isTerminal: boolean;
  readonly stream: NodeJS.WriteStream;
  readonly print: (text: string) => void;
  /** Seconds, from any beginning. */
  readonly now: () => number;
}

/** Without a terminal, a download is told each time that it has come so much further. */
const toldFraction = 0.25;

/** Phases with their times; below them steps and downloads. */
export class Display {
  readonly #options: DisplayOptions;
  #number = 0;
  #bars: MultiBar | undefined;
  readonly #open = new Map<string, SingleBar>();
  readonly #told = new Map<string, number>();

  constructor(options: DisplayOptions) {
    this.#options = options;
  }

  /** Runs a phase and prints its line with what it returns, and how long it took. */
  async phase(title: string, action: () => Promise<string>): Promise<void> {
    const { now } = this.#options;
    this.#number += 1;
    const heading = `${this.#number}  ${title.padEnd(10)}`;
    const begun = now();
    const detail = await action().finally(() => this.#closeBars());
    this.#print(`${heading} ${detail}  (${formatSeconds(now() - begun)})`);
  }

  /** Shows what an operation tells. */
  event(event: LogEvent): void {
    switch (event.kind) {
      case "step": {
        this.#print(`   ${event.subject}: ${event.text}`);
        return;
      }
      case "done": {
        this.#print(`   ${event.subject}: ${event.text} in ${formatSeconds(event.seconds)}`);
        return;
      }
      case "warning": {
        this.#print(`   ${event.subject}: warning: ${event.text}`);
        return;
      }
      case "progress":
        if (this.#options.isTerminal) this.#moveBar(event);
        else this.#tellProgress(event);
    }
  }

  #print(text: string): void {
    if (this.#bars === undefined) this.#options.print(text);
    else this.#bars.log(`${text}\n`);
  }

  #moveBar({ text, current, total, parts }: Extract<LogEvent, { kind: "progress" }>): void {
    this.#bars ??= new cliProgress.MultiBar({
      stream: this.#options.stream,
      format: (options, { progress }, { text, size, known }: { text: string; size: string; known: boolean }) =>
        `   ${text} ${known ? `[${cliProgress.Format.BarFormat(progress, options)}] ` : ""}${size}`,
      barsize: 30,
      clearOnComplete: true,
      hideCursor: true,
    });
    const all = total ?? Math.max(current, 1);
    const payload = { text, size: sizeText(current, total, parts), known: total !== undefined };
    const bar = this.#open.get(text) ?? this.#bars.create(all, 0, payload);
    this.#open.set(text, bar);
    bar.setTotal(all);
    bar.update(current, payload);
  }

  #tellProgress({ text, current, total, parts }: Extract<LogEvent, { kind: "progress" }>): void {
    const told = this.#told.get(text) ?? 0;
    const step = total === undefined ? 64_000_000 : total * toldFraction;
    if (current < told + step && current !== total) return;
    if (current === told) return;
    this.#told.set(text, current);
    this.#print(`   ${text}: ${sizeText(current, total, parts)}`);
  }

  /** Takes bars that are shown away. */
  close(): void {
    this.#closeBars();
  }

  #closeBars(): void {
    this.#bars?.stop();
    this.#bars = undefined;
    this.#open.clear();
  }
}

function sizeText(current: number, total: number | undefined, parts: Parts | undefined): string {
  const size = total === undefined ? formatBytes(current) : `${formatBytes(current)} of ${formatBytes(total)}`;
  return parts === undefined ? size : `${size}, ${parts.done} of ${parts.all} parts`;
}
