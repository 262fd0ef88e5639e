/** What keeps the runners of a host alive. Pure. */
import { BerthError } from "../lib/errors.js";
import type { HostFacts } from "../schema/facts.js";
import type { HostEntry } from "../schema/stack.js";

/** @throws BerthError `host-unsuitable` when the stack asks for what is not there */
export function chooseRuntime(
  host: string,
  asked: HostEntry["runtime"],
  initSystem: HostFacts["initSystem"],
): NonNullable<HostEntry["runtime"]> {
  const hasSystemd = initSystem !== "other";
  if (asked !== "systemd" || hasSystemd) return asked ?? (hasSystemd ? "systemd" : "supervisord");
  throw new BerthError("host-unsuitable", {
    where: `host ${host}`,
    what: "systemd does not run there, or does not answer this user",
    got: "runtime: systemd",
    expected: "runtime: supervisord",
    hint: "leave `runtime` out, and the host's facts decide",
  });
}
