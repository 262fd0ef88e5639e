/** A device of a machine that a stack knows by several names is given out by one of them. Pure. */
import { BerthError } from "../lib/errors.js";
import type { PlacedHost, PlacedInstance } from "../schema/lock.js";
import { machineOf } from "./port-placement.js";

interface Owner {
  readonly host: string;
  readonly instance: string;
}

/**
 * Each host counts a device's memory by itself, so two of them that are one machine would give it out twice.
 *
 * @throws BerthError `stack-inconsistent` for a device that instances have by the names of two hosts
 */
export function assertOneOwnerEach(
  instances: Readonly<Record<string, Pick<PlacedInstance, "host" | "devices">>>,
  hosts: Readonly<Record<string, Pick<PlacedHost, "connection" | "ssh" | "facts">>>,
): void {
  const owners = new Map<string, Owner>();
  for (const [instance, { host, devices }] of Object.entries(instances)) {
    for (const device of devices) {
      const identity = identityOf(device, hosts[host]);
      const other = owners.get(identity);
      if (other === undefined) owners.set(identity, { host, instance });
      else if (other.host !== host) throw givenTwice(device, other, { host, instance });
    }
  }
}

/** A vendor's identity is one in the world, a bus id or an index one of a machine. */
function identityOf(device: string, host: Pick<PlacedHost, "connection" | "ssh" | "facts"> | undefined): string {
  const card = host?.facts.accelerators.find(
    ({ uuid, mig }) => uuid === device || mig?.devices.some((part) => part.uuid === device) === true,
  );
  const { identifiedBy = "uuid" } = card ?? {};
  return identifiedBy === "uuid" ? device : `${machineOf(host)} ${device}`;
}

function givenTwice(device: string, one: Owner, other: Owner): BerthError {
  return new BerthError("stack-inconsistent", {
    where: `host ${other.host}`,
    what: `it is one machine with host ${one.host}, and each would give out the memory of the same device`,
    got: `device ${device} for ${one.instance} by ${one.host}, and for ${other.instance} by ${other.host}`,
    expected: "each device by one host",
    hint: "write the machine as one host, or say by `placement: { devices: { HOST: [...] } }` which has which",
  });
}
