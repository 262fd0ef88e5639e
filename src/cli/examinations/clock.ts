import { lockTtlSeconds } from "../../host/lock.js";
import type { Finding } from "./finding.js";

const worthTellingSeconds = 5;

/** How far the host's clock and this machine's are apart. */
export function judgeClock(offsetSeconds: number): Finding {
  const subject = "clock";
  const seconds = Math.abs(offsetSeconds);
  if (seconds <= worthTellingSeconds) return { state: "good", subject, found: "as this machine's" };
  const found = `${seconds} s ${offsetSeconds > 0 ? "ahead of" : "behind"} this machine's`;
  const mend = "timedatectl set-ntp true, on the one that is wrong";
  if (seconds < lockTtlSeconds) return { state: "note", subject, found, mend };
  const harm = `runs of machines that are ${lockTtlSeconds} s apart take each other's host lock over`;
  return { state: "bad", subject, found: `${found}; ${harm}`, mend };
}
