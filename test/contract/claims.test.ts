import { setTimeout as delay } from "node:timers/promises";

import { describe, expect, it } from "vitest";

import { baseEnvironment } from "../../src/host/environment.js";
import { LocalHost } from "../../src/host/local.js";
import { ClaimOwners, deviceBytes, type Turn } from "../unit/support/claim-owners.js";
import { temporaryFolder } from "../unit/support/temporary-folder.js";

const owners = 4;
const turns = 40;

/** Parts of which some fit beside each other, and now and then the whole. */
const turnOf = (owner: number, round: number): Turn => ({
  instance: `chat-${round % 2}`,
  bytes: (owner + round) % 5 === 0 ? undefined : ((owner * 7 + round * 13) % deviceBytes) + 1,
  underLock: round % 3 === 0,
});

describe("a device of a real host that several owners claim at the same moment", () => {
  it("is never had whole by two, nor whole beside a part, nor in parts of more bytes than it has", async () => {
    const claims = new ClaimOwners(
      new LocalHost("this machine", baseEnvironment(process.env)),
      await temporaryFolder(),
    );
    await Promise.all(
      Array.from({ length: owners }, (_, owner) =>
        claims.run(
          `shop/${owner}`,
          Array.from({ length: turns }, (_, round) => turnOf(owner, round)),
          () => delay(owner),
        ),
      ),
    );
    expect(claims.violations).toEqual([]);
    expect(claims.gained).toBeGreaterThan(0);
  });
});
