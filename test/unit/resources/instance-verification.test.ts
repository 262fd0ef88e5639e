import { describe, expect, it } from "vitest";

import type { HttpAnswer } from "../../../src/host/host.js";
import { desiredRunner, probeTarget } from "../../../src/resources/instance-runner.js";
import { verifyRunner } from "../../../src/resources/instance-verification.js";
import type { RunnerObservation } from "../../../src/runtime/supervisor.js";
import { contextOf } from "../support/contexts.js";
import { FakeSupervisor } from "../support/fake-supervisor.js";
import { instanceOf } from "../support/instances.js";
import { MemoryHost } from "../support/memory-host.js";

const image = `team/engine@sha256:${"a".repeat(64)}`;
const inputs = instanceOf({ minHealthySeconds: 0, container: { image, containerPort: 8000 } as never });
const definition = desiredRunner(inputs, "/data/instances/shop+dev+chat-0", "salt");

const running = (restarts = 0): RunnerObservation => ({
  state: { kind: "running", pid: 1 },
  restarts,
  asDefined: true,
});
const stopped: RunnerObservation = {
  state: { kind: "stopped", reason: "exited, exit code 0" },
  restarts: 0,
  asDefined: true,
};

/** A runner that is seen so, and then so; it answers when it runs and has been asked often enough. */
function verify(seen: readonly RunnerObservation[], answersAfter = 0, lastEnd?: string) {
  let looks = 0;
  let asked = 0;
  const at = () => seen[Math.min(looks, seen.length - 1)] ?? running();
  class Supervisor extends FakeSupervisor {
    override observe(): Promise<RunnerObservation> {
      const now = at();
      looks += 1;
      return Promise.resolve(now);
    }

    lastEnd(): Promise<string | undefined> {
      return Promise.resolve(lastEnd);
    }
  }
  class Host extends MemoryHost {
    override request(): Promise<HttpAnswer> {
      asked += 1;
      if (asked <= answersAfter) return Promise.resolve({ kind: "refused", reason: "ECONNREFUSED" });
      const body = '{"data":[{"id":"chat"}],"choices":[{"text":"5"}]}';
      return Promise.resolve({ kind: "answered", status: 200, body });
    }
  }
  const context = contextOf(new Host(), new Supervisor());
  return verifyRunner({ context, inputs, definition, target: probeTarget(inputs) });
}

describe("a container that is verified", () => {
  it("and ended is told with its exit code, also when its engine has started it again by then", async () => {
    const verifying = verify([running(), running(1)], 1, "exit code 137, out of memory");
    await expect(verifying).rejects.toMatchObject({
      code: "runner-failed",
      parts: { what: "the runner ended before it was healthy", got: "exit code 137, out of memory" },
    });
  });

  it("is told as started again where nobody knows how it ended", async () => {
    await expect(verify([running(), running(1)], 1)).rejects.toMatchObject({
      parts: { got: "it ended and was started again" },
    });
  });

  it("and is stopped for a moment, as by an engine that is started again, is waited for", async () => {
    await expect(verify([running(), stopped, stopped, running()], 2)).resolves.toBeLessThan(2);
  });

  it("and stays stopped is given up long before the deadline", async () => {
    await expect(verify([running(), stopped], 1000)).rejects.toMatchObject({
      parts: { what: "the runner ended before it was healthy", got: "exited, exit code 0" },
    });
  });
});
