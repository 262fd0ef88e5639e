import type { HostSurvey } from "../../host/survey.js";
import type { HostFacts } from "../../schema/facts.js";
import type { HostEntry } from "../../schema/hosts.js";
import type { Finding } from "./finding.js";

export interface SupervisionSight {
  readonly survey: Pick<HostSurvey, "systemd" | "lingers" | "user">;
  readonly initSystem: HostFacts["initSystem"];
  /** What the stack file asks for. */
  readonly runtime: HostEntry["runtime"];
  /** The command that starts this data directory's supervisord; undefined where there is none yet. */
  readonly supervisord: string | undefined;
}

const subject = "supervision";

/** What keeps runners alive on a host, and whether they come back after a reboot. */
export function judgeSupervision({ survey, initSystem, runtime, supervisord }: SupervisionSight): Finding[] {
  const { systemd, lingers, user } = survey;
  if (initSystem === "other" && runtime === "systemd") return [noSystemd(systemd, user)];
  if (initSystem === "systemd" && runtime !== "supervisord") {
    return [{ state: "good", subject, found: "systemd" }];
  }
  if (initSystem === "systemd-user" && runtime !== "supervisord") {
    if (lingers === true) return [{ state: "good", subject, found: "systemd-user" }];
    const found = "systemd-user; runners end with the user's last session, because the user does not linger";
    return [{ state: "note", subject, found, mend: `loginctl enable-linger ${user}` }];
  }
  const why =
    initSystem === "other" && systemd
      ? `systemd runs, but the manager of ${user} does not answer`
      : systemd
        ? "the stack file asks for it"
        : "no systemd runs here";
  const found = `supervisord; ${why}, so runners do not come back after a reboot by themselves, but by \`pulumi up\``;
  if (supervisord !== undefined) {
    return [{ state: "note", subject, found, mend: `(crontab -l; echo '@reboot ${supervisord}') | crontab -` }];
  }
  const mend = initSystem === "other" && systemd ? { mend: `loginctl enable-linger ${user}` } : {};
  return [{ state: "note", subject, found, ...mend }];
}

function noSystemd(systemd: boolean, user: string): Finding {
  const asked = "the stack file asks for systemd";
  return systemd
    ? {
        state: "bad",
        subject,
        found: `${asked}, and the manager of ${user} does not answer`,
        mend: `loginctl enable-linger ${user}, and UsePAM yes in the host's sshd_config`,
      }
    : { state: "bad", subject, found: `${asked}, and none runs`, mend: "leave `runtime` of the host out" };
}
