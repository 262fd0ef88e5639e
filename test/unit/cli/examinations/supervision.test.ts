import { describe, expect, it } from "vitest";

import { judgeSupervision, type SupervisionSight } from "../../../../src/cli/examinations/supervision.js";
import { survey } from "./surveys.js";

const sight = (changes: Partial<SupervisionSight>): SupervisionSight => ({
  ...{ survey: survey(), initSystem: "systemd-user", runtime: undefined, supervisord: undefined, ...changes },
});

describe("judgeSupervision", () => {
  it.each<[string, SupervisionSight, string, RegExp, string | undefined]>([
    ["systemd of root", sight({ initSystem: "systemd" }), "good", /^systemd$/, undefined],
    ["a user who lingers", sight({}), "good", /^systemd-user$/, undefined],
    [
      "a user who does not linger",
      sight({ survey: survey({ lingers: false }) }),
      "note",
      /runners end with the user's last session/,
      "loginctl enable-linger berth",
    ],
    [
      "a user whose manager does not answer",
      sight({ initSystem: "other" }),
      "note",
      /supervisord; systemd runs, but the manager of berth does not answer/,
      "loginctl enable-linger berth",
    ],
    [
      "no systemd",
      sight({ initSystem: "other", survey: survey({ systemd: false }) }),
      "note",
      /no systemd runs here, so runners do not come back after a reboot by themselves, but by `pulumi up`/,
      undefined,
    ],
    [
      "a supervisord that is there",
      sight({
        ...{ initSystem: "other", survey: survey({ systemd: false }) },
        supervisord: "/data/bin/supervisord -c /data/c.conf",
      }),
      "note",
      /supervisord/,
      "(crontab -l; echo '@reboot /data/bin/supervisord -c /data/c.conf') | crontab -",
    ],
    ["supervisord by choice", sight({ runtime: "supervisord" }), "note", /the stack file asks for it/, undefined],
    [
      "systemd by choice where none is",
      sight({ ...{ initSystem: "other", runtime: "systemd" }, survey: survey({ systemd: false }) }),
      "bad",
      /asks for systemd, and none runs/,
      "leave `runtime` of the host out",
    ],
    [
      "systemd by choice where the user's does not answer",
      sight({ initSystem: "other", runtime: "systemd" }),
      "bad",
      /the manager of berth does not answer/,
      "loginctl enable-linger berth, and UsePAM yes in the host's sshd_config",
    ],
  ])("tells of %s whether runners stay and come back", (_, of, state, found, mend) => {
    const [finding, ...others] = judgeSupervision(of);
    expect(others).toEqual([]);
    expect(finding?.state).toBe(state);
    expect(finding?.found).toMatch(found);
    expect(finding?.mend).toBe(mend);
  });
});
