import { describe, expect, it } from "vitest";

import { judgeGateway } from "../../../../src/cli/examinations/gateway.js";
import { facts } from "../../support/problems.js";

const haproxy = (version: string) => ({ ...facts, haproxy: { path: "/usr/sbin/haproxy", version } });

describe("judgeGateway", () => {
  it("is good where HAProxy is", () => {
    expect(judgeGateway(undefined, haproxy("2.6.12"))).toEqual([
      { state: "good", subject: "gateway", found: "/usr/sbin/haproxy 2.6.12" },
    ]);
  });

  it("is a note where it is not, and bad where the stack asks for it", () => {
    const found = "no HAProxy is installed, so an update stops the old runner before it starts the new one";
    expect(judgeGateway(undefined, facts)).toMatchObject([{ state: "note", found }]);
    expect(judgeGateway("haproxy", facts)).toMatchObject([{ state: "bad", found, mend: "apt-get install haproxy" }]);
    expect(judgeGateway("haproxy", haproxy("2.2.9"))).toMatchObject([
      { state: "bad", found: expect.stringContaining("HAProxy 2.2.9 is older than 2.4") as unknown },
    ]);
  });

  it("is nothing where the stack wants none", () => {
    expect(judgeGateway("none", facts)).toEqual([]);
  });
});
