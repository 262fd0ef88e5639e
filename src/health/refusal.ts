import { describeAnswer, longestReason } from "./probe.js";
import { at, written } from "./proof.js";
import type { HttpAnswer } from "../host/host.js";

/** Why a server gave no answer, in its own words where it has some, in one line. Not redacted. */
export function describeRefusal(answer: HttpAnswer): string {
  if (answer.kind !== "answered") return describeAnswer(answer);
  const said = errorText(parsed(answer.body));
  return said === undefined ? describeAnswer(answer) : `HTTP ${answer.status}: ${said}`;
}

/** What an answer or an event of one says of an error, as OpenAI's API has it and engines vary it. */
export function errorText(body: unknown): string | undefined {
  const error = at(body, "error");
  const said =
    written(at(error, "message")) ??
    written(error) ??
    (at(body, "object") === "error" ? written(at(body, "message")) : undefined) ??
    written(at(body, "detail"));
  return said?.replace(/\s+/g, " ").trim().slice(0, longestReason);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
