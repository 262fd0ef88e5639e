/** The devices that something was placed on have to be there, and to be those that its processes are told. */
import { BerthError } from "../lib/errors.js";
import { findRenumbered } from "../planner/device-variables.js";
import { findMoved } from "../planner/moved-devices.js";
import type { InstanceInputs } from "./instance-inputs.js";
import type { Context } from "./kind.js";

type DeviceInputs = Pick<InstanceInputs, "name" | "devices" | "env"> & Partial<Pick<InstanceInputs, "container">>;

/**
 * Devices are known by their identity: the index that the driver gives may be another one since the last boot.
 *
 * @throws BerthError `host-unsuitable` when one is missing, or counted otherwise than before
 */
export async function assertPresent(
  { host, facts }: Pick<Context, "host" | "facts">,
  { name, devices = [], env, container }: DeviceInputs,
): Promise<void> {
  const wanted = [...new Set([...devices, ...(container?.devices?.ids ?? [])])];
  if (wanted.length === 0) return;
  const { accelerators } = await facts();
  const present = accelerators.flatMap(({ uuid, mig }) => [uuid, ...(mig?.devices ?? []).map((part) => part.uuid)]);
  const missing = wanted.filter((device) => !present.includes(device));
  const moved =
    container === undefined ? findRenumbered(devices, env, accelerators) : findMoved(container.devices, accelerators);
  if (missing.length === 0 && moved.length > 0) {
    throw new BerthError("host-unsuitable", {
      where: `host ${host.name}: ${name}`,
      what: "its runner would be given another device: the host's driver counts them otherwise than before",
      got: moved.join("; "),
      hint: "run `berth lock`, which looks at the host again, and then `pulumi up`",
    });
  }
  if (missing.length === 0) return;
  throw new BerthError("host-unsuitable", {
    where: `host ${host.name}: ${name}`,
    what: "a device that the placement names is not there",
    got: present.length === 0 ? "no devices" : present.join(", "),
    expected: missing.join(", "),
    hint: "`berth facts` lists the devices; if one was exchanged, run `berth lock` or name the new one",
  });
}
