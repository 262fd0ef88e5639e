import { createInterface, type Interface } from "node:readline";

import { converse, whyNoConversation, type Message, type ModelAnswer } from "../health/conversation.js";
import { BerthError } from "../lib/errors.js";
import { defined } from "../lib/record.js";
import { printable, printableLines } from "../lib/printable.js";
import { findServed, type ServedChoice, type ServedModel } from "./served-model.js";
import type { Workplace } from "./workplace.js";

export interface ChatOptions extends Omit<ServedChoice, "deployment"> {
  system?: string;
  /** The only question. */
  message?: string;
  maxTokens?: number;
  json?: boolean;
}

/** The terminal, or what stands in its place. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  /** Where a person types, lines are edited and asked for. */
  readonly isPerson: boolean;
  readonly output: NodeJS.WritableStream;
  /** Ends the answer that comes, and the conversation. */
  readonly interrupt: AbortController;
}

/** Talks to a deployment's model, line by line, or about one message alone. */
export async function chat(
  workplace: Workplace,
  deployment: string | undefined,
  options: ChatOptions,
  terminal: Terminal,
): Promise<void> {
  const { signal } = terminal.interrupt;
  const served = await findServed(workplace, { ...options, deployment }, whyNoConversation, signal);
  const conversation = new Conversation(served, options, terminal);
  if (options.message !== undefined) {
    await conversation.ask(options.message);
    return;
  }
  if (terminal.isPerson) workplace.note(`${served.model} by ${served.servers[0].name}; /exit or Ctrl-D ends`);
  await talk(conversation, workplace, terminal);
}

async function talk(conversation: Conversation, workplace: Workplace, terminal: Terminal): Promise<void> {
  const lines = openLines(terminal);
  try {
    lines.prompt();
    for await (const line of lines) {
      const text = line.trim();
      if (text === "/exit") break;
      if (text !== "") await answer(conversation, text, workplace, terminal);
      lines.prompt();
    }
  } finally {
    lines.close();
  }
  terminal.interrupt.signal.throwIfAborted();
}

/** What a person may say otherwise is told and not the end; a program's conversation ends. */
async function answer(
  conversation: Conversation,
  text: string,
  workplace: Workplace,
  { isPerson }: Terminal,
): Promise<void> {
  try {
    await conversation.ask(text);
  } catch (error) {
    if (!isPerson || !(error instanceof BerthError) || error.code === "interrupted") throw error;
    workplace.note(`error: ${error.message} (${error.code})`);
  }
}

function openLines({ input, output, isPerson, interrupt }: Terminal): Interface {
  const { signal } = interrupt;
  const lines = createInterface({
    ...{ input, signal, terminal: isPerson, prompt: isPerson ? "> " : "" },
    ...(isPerson ? { output } : {}),
  });
  // Of a terminal whose lines are edited, Ctrl-C is a key.
  lines.on("SIGINT", () => interrupt.abort(new BerthError("interrupted", { what: "interrupted" })));
  return lines;
}

/** What was said so far; what was not answered is not part of it. */
class Conversation {
  readonly #said: Message[];

  constructor(
    private readonly served: ServedModel,
    private readonly options: ChatOptions,
    private readonly terminal: Terminal,
  ) {
    this.#said = options.system === undefined ? [] : [{ role: "system", content: options.system }];
  }

  async ask(text: string): Promise<void> {
    const { maxTokens, json } = this.options;
    const { target, send, redact } = this.served.servers[0];
    const question: Message = { role: "user", content: text };
    const writer = new AnswerWriter(this.terminal, json === true);
    const edges = { send, redact, signal: this.terminal.interrupt.signal };
    try {
      const answer = await converse(target, [...this.#said, question], maxTokens, {
        ...edges,
        onPiece: (piece) => writer.write(piece),
      });
      this.#said.push(question, { role: "assistant", content: answer.content });
      writer.end(json === true ? answerLine(this.served, answer) : undefined);
    } catch (error) {
      writer.end(undefined);
      if (!(error instanceof BerthError) || error.code !== "request-failed") throw error;
      throw new BerthError(error.code, { where: this.served.deployment, what: printable(error.parts.what) });
    }
  }
}

/** One answer, for programs. */
function answerLine({ stack, deployment, model, by }: ServedModel, answer: ModelAnswer): string {
  const { content, thought, finishReason, promptTokens, tokens } = answer;
  const more = defined({ thought: thought === "" ? undefined : thought, finishReason, promptTokens, tokens });
  return JSON.stringify({ stack, deployment, model, asked: by, content, ...more });
}

const faint = { begin: "\u001b[2m", end: "\u001b[22m" };

/** Writes an answer as it comes. What a model thinks is for people who watch. */
class AnswerWriter {
  #last: "content" | "thought" | undefined;
  #endsLine = true;

  constructor(
    private readonly terminal: Terminal,
    private readonly isForPrograms: boolean,
  ) {}

  write({ kind, text }: { readonly kind: "content" | "thought"; readonly text: string }): void {
    if (this.isForPrograms || (kind === "thought" && !this.terminal.isPerson)) return;
    if (this.#last === "thought" && kind === "content") this.#put("\n\n");
    const shown = printableLines(text);
    this.#put(kind === "thought" ? `${faint.begin}${shown}${faint.end}` : shown);
    this.#last = kind;
    this.#endsLine = text.endsWith("\n");
  }

  end(line: string | undefined): void {
    if (line !== undefined) this.#put(`${line}\n`);
    else if (!this.#endsLine) this.#put("\n");
  }

  #put(text: string): void {
    this.terminal.output.write(text);
  }
}
