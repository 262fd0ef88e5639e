import type { SshdSurvey } from "../../host/sshd-survey.js";
import type { Finding } from "./finding.js";

/** What the host's ssh server allows. Nothing for a host that is not reached by ssh. */
export function judgeSshd(survey: SshdSurvey | undefined): Finding[] {
  if (survey === undefined) return [];
  return [judgeSessions(survey.refusedSessions), judgeForwarding(survey.forwards)];
}

function judgeSessions(refused: number): Finding {
  const subject = "sessions";
  if (refused === 0) return { state: "good", subject, found: "as many over one connection as Berth asks for" };
  const found = "sshd refused some over one connection, so more connections were made";
  return { state: "note", subject, found, mend: "MaxSessions 10 in the host's sshd_config, then reload sshd" };
}

function judgeForwarding(forwards: boolean | undefined): Finding {
  const subject = "forwarding";
  if (forwards === undefined) return { state: "note", subject, found: "not tried, because the host has no Python" };
  if (forwards) return { state: "good", subject, found: "requests reach ports of the host" };
  const found = "no request reaches a port of the host, so no runner would ever count as healthy";
  const mend = "AllowTcpForwarding local (or yes) in the host's sshd_config, and no PermitOpen, then reload sshd";
  return { state: "bad", subject, found, mend };
}
