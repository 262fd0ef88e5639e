import type { Redact } from "../lib/redact.js";
import type { SmokeResult } from "../schema/evidence.js";
import type { SmokeTest } from "../schema/gates.js";
import { describeAnswer, requestTo, type ProbeTarget, type SendRequest } from "./probe.js";
import { parsedBody } from "./proof.js";
import { questionOf } from "./question.js";

export interface SmokeEdges {
  readonly send: SendRequest;
  readonly signal: AbortSignal;
  /** Takes the target's secrets out of what it answers. */
  readonly redact: Redact;
}

/** How long an answer may take. */
const requestSeconds = 300;
const shownCharacters = { asked: 80, answered: 200 };

/** Asks a served model one thing after the other, and tells what it answered, shortened. Throws only when stopped. */
export async function runSmoke(
  target: ProbeTarget,
  tests: readonly SmokeTest[],
  edges: SmokeEdges,
): Promise<Omit<SmokeResult, "instance">[]> {
  const results: Omit<SmokeResult, "instance">[] = [];
  for (const test of tests) results.push({ what: describeTest(test), ...(await ask(target, test, edges)) });
  return results;
}

async function ask(
  target: ProbeTarget,
  test: SmokeTest,
  { send, signal, redact }: SmokeEdges,
): Promise<Pick<SmokeResult, "passed" | "got">> {
  signal.throwIfAborted();
  const question = questionOf(target.model, target.category, test);
  if (question === undefined)
    return { passed: false, got: `nothing: a model of the category ${target.category ?? ""} is not asked like that` };
  const { path, body, read } = question;
  const common = { ...requestTo(target), signal, timeoutSeconds: requestSeconds };
  const answer = await send({ ...common, method: "POST", path, body: JSON.stringify(body) });
  const text = read(parsedBody(answer));
  if (text === undefined)
    return { passed: false, got: `${path}: ${shorten(redact(describeAnswer(answer)), "answered")}` };
  const passed = target.category === "embedding" || isExpected(text, test.expect);
  return { passed, got: shorten(redact(text), "answered") };
}

/** Pure. */
export function isExpected(text: string, expected: SmokeTest["expect"]): boolean {
  const { contains = "", notContains } = expected ?? {};
  return text.includes(contains) && (notContains === undefined || !text.includes(notContains));
}

function describeTest({ prompt, messages = [], expect: expected }: SmokeTest): string {
  const { contains, notContains } = expected ?? {};
  const quoted = (text: string) => JSON.stringify(shorten(text, "asked"));
  return [
    quoted(prompt ?? messages.at(-1)?.content ?? ""),
    ...(contains === undefined ? [] : [`contains ${quoted(contains)}`]),
    ...(notContains === undefined ? [] : [`does not contain ${quoted(notContains)}`]),
  ].join(", ");
}

function shorten(text: string, kind: keyof typeof shownCharacters): string {
  const line = text.replace(/\s+/g, " ").trim();
  const most = shownCharacters[kind];
  return line.length <= most ? line : `${line.slice(0, most)}...`;
}
