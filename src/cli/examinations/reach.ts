import { BerthError, messageOf, type ErrorCode } from "../../lib/errors.js";
import type { HostEntry } from "../../schema/hosts.js";
import type { Finding } from "./finding.js";

/** What of a host was looked at when it could not be. */
const subjects: Partial<Record<ErrorCode, string>> = {
  "host-key-unknown": "host key",
  "host-key-mismatch": "host key",
  "host-login-refused": "login",
  "host-sudo-refused": "sudo",
};

/** A host that answers, by the connection that the stack file names. */
export function judgeReached({ connection, ssh }: Pick<HostEntry, "connection" | "ssh">, user: string): Finding[] {
  if (connection === "local") return [{ state: "good", subject: "login", found: `${user}, on this machine` }];
  const how = ssh?.sudo === "nonInteractive" ? `${user}, by sudo without a question` : user;
  return [{ state: "good", subject: "login", found: `${how}; the host's key is verified` }];
}

/** A host that does not answer, or not to Berth. */
export function judgeLost(error: unknown): Finding {
  const subject = (error instanceof BerthError ? subjects[error.code] : undefined) ?? "reached";
  return judgeFailure(subject, error);
}

/** What could not be looked at. */
export function judgeFailure(subject: string, error: unknown): Finding {
  if (!(error instanceof BerthError)) return { state: "bad", subject, found: messageOf(error) };
  const { what, where, got, hint, detail = "" } = error.parts;
  const [said] = detail.trim().split("\n").slice(-1);
  const found = [where === undefined ? what : `${where}: ${what}`, got, said].filter(Boolean).join("; ");
  return { state: "bad", subject, found, ...(hint === undefined ? {} : { mend: hint }) };
}
