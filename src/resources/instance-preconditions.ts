/** What would make a change of an instance fail is told before anything on its host is touched. */
import { alreadyClaimed, findRivals } from "../host/claims.js";
import { findListener } from "../host/listener.js";
import { BerthError } from "../lib/errors.js";
import { findRunner } from "../runtime/runner-files.js";
import { claimPlace, wantedClaims } from "./instance-claims.js";
import { generationFolder } from "./instance-files.js";
import type { InstanceWork } from "./instance-steps.js";

/** @throws BerthError when the runner's files, port or devices are not there for it */
export async function assertPossible(work: InstanceWork): Promise<void> {
  await assertFiles(work);
  const { context, inputs } = work;
  const [rival] = await findRivals(claimPlace(work), wantedClaims(work));
  if (rival !== undefined) throw alreadyClaimed(`host ${context.host.name}: ${inputs.name}`, inputs.owner, rival);
  await assertPort(work);
  await assertDevices(work);
}

async function assertFiles({ context: { host }, inputs }: InstanceWork): Promise<void> {
  for (const path of [inputs.argv[0] ?? "", inputs.modelPath]) {
    if ((await host.status(path)) === undefined) {
      throw new BerthError("file-not-found", {
        where: `host ${host.name}: ${path}`,
        what: "the runner needs a file that is not there",
        hint: "run `pulumi up` with refresh, so that what is missing is put in place first",
      });
    }
  }
}

async function assertPort({ context: { host }, inputs, folder, record, seen }: InstanceWork): Promise<void> {
  const runners = await Promise.all(
    seen.generations.map(({ generation }) => findRunner(host, generationFolder(folder, generation))),
  );
  const ownRuns = seen.generations.some(({ running }) => running) || runners.some((pid) => pid !== undefined);
  const ownPort = ownRuns && (record.target === undefined || record.target.port === inputs.port);
  if (ownPort || !(await host.listeningPorts()).has(inputs.port)) return;
  const listener = await findListener(host, inputs.port);
  throw new BerthError("port-in-use", {
    where: `host ${host.name}: ${inputs.name}`,
    what: `port ${inputs.port} is taken by another process`,
    ...(listener === undefined ? {} : { got: listener }),
    hint: `stop that process${
      listener === undefined ? ` (ss -ltnp "sport = :${inputs.port}" tells root which it is)` : ""
    }, or give the deployment another port`,
  });
}

/** Devices are known by their identity: the index that the driver gives may be another one since the last boot. */
async function assertDevices({ context, inputs: { name, devices = [] } }: InstanceWork): Promise<void> {
  if (devices.length === 0) return;
  const { accelerators } = await context.facts();
  const present = accelerators.flatMap(({ uuid, mig }) => [uuid, ...(mig?.devices ?? []).map((part) => part.uuid)]);
  const missing = devices.filter((device) => !present.includes(device));
  if (missing.length === 0) return;
  throw new BerthError("host-unsuitable", {
    where: `host ${context.host.name}: ${name}`,
    what: "a device that the placement names is not there",
    got: present.length === 0 ? "no devices" : present.join(", "),
    expected: missing.join(", "),
    hint: "`berth facts` lists the devices; if one was exchanged, run `berth lock` or name the new one",
  });
}
