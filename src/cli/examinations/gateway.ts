import { findHaproxy } from "../../planner/rollout.js";
import type { HostFacts } from "../../schema/facts.js";
import type { HostEntry } from "../../schema/hosts.js";
import type { Finding } from "./finding.js";

const subject = "gateway";

/** Whether updates on a host can have the new runner beside the old one. */
export function judgeGateway(gateway: HostEntry["gateway"], facts: HostFacts): Finding[] {
  if (gateway === "none") return [];
  const { haproxy } = facts;
  if (findHaproxy({ gateway, facts }) !== undefined)
    return [{ state: "good", subject, found: `${haproxy?.path ?? ""} ${haproxy?.version ?? ""}` }];
  const lacking = haproxy === undefined ? "no HAProxy is installed" : `HAProxy ${haproxy.version} is older than 2.4`;
  const found = `${lacking}, so an update stops the old runner before it starts the new one`;
  return [{ state: gateway === "haproxy" ? "bad" : "note", subject, found, mend: "apt-get install haproxy" }];
}
