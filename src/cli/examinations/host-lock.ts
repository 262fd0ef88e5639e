import type { LockHolder } from "../../host/lock.js";
import type { Finding } from "./finding.js";

export function judgeHostLock(holder: LockHolder | undefined): Finding {
  const subject = "host lock";
  if (holder === undefined) return { state: "good", subject, found: "free" };
  return { state: "note", subject, found: `held by ${holder.owner}, last sign of life ${holder.heartbeatAt}` };
}
