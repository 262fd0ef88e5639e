import { lookUp } from "../../lib/record.js";
import type { DeclaredType } from "../../schema/declared-devices.js";
import type { Accelerator } from "../../schema/facts.js";
import type { Host } from "../host.js";
import { readBusId, wholeNumber } from "./values.js";

type Type = Accelerator["type"];
type DeviceFile = NonNullable<Accelerator["deviceFiles"]>[number];

const filesSeconds = 15;

/** Types whose cards have device files of the kernel's graphics drivers, and none with a number of their own. */
const graphicsTypes: readonly Type[] = ["rocm", "dtk", "maca"];

/** Further device files that only some hosts of a type have, for all of its cards. */
const sharedFiles: Readonly<Record<string, readonly string[]>> = {
  cann: ["/dev/dvpp_cmdlist", "/dev/uburma", "/dev/ummu"],
  corex: ["/dev/itrlink", "/dev/itr_peerm_dev0"],
  maca: ["/dev/mxgd", "/dev/mxnd"],
  hggc: ["/dev/alixpu_sep"],
  neuware: ["/dev/cambricon_gdr"],
};

/** `$1`: what comes before every path; then further files. A line is a PCI bus id or `-`, a group's number, and a file. */
const script = String.raw`
root=$1
shift
for node in "$root"/sys/class/drm/card[0-9]* "$root"/sys/class/drm/renderD[0-9]*; do
  file=/dev/dri/${"${node##*/}"}
  [ -e "$root$file" ] || continue
  card=$(readlink -f "$node/device") || continue
  echo "${"${card##*/}"} $(stat -c %g "$root$file") $file"
done
for file; do
  [ ! -e "$root$file" ] || echo "- $(stat -c %g "$root$file") $file"
done`;

/**
 * The accelerators with the device files by which containers are given them. Nothing is asked where there is none that
 * has any, and what the host does not tell is left out.
 *
 * @param declared types that Berth's own code does not know
 * @param root what comes before every path, for tests
 */
export async function withDeviceFiles(
  host: Pick<Host, "run">,
  accelerators: readonly Accelerator[],
  declared: readonly DeclaredType[] = [],
  root = "",
): Promise<Accelerator[]> {
  const types = new Set(accelerators.map(({ type }) => type));
  const shared = [...new Set(accelerators.flatMap((each) => filesBeside(each, declared)))];
  if (shared.length === 0 && !graphicsTypes.some((type) => types.has(type))) return [...accelerators];
  const argv = ["/bin/sh", "-c", script, "sh", root, ...shared] as const;
  const { exitCode, stdout } = await host.run(argv, { timeoutSeconds: filesSeconds });
  return exitCode === 0 ? addDeviceFiles(accelerators, stdout, declared) : [...accelerators];
}

/** Pure: `found` is what the script printed. */
export function addDeviceFiles(
  accelerators: readonly Accelerator[],
  found: string,
  declared: readonly DeclaredType[] = [],
): Accelerator[] {
  const lines = found.split("\n").flatMap(readLine);
  return accelerators.map((accelerator) => {
    const { type, pciBusId } = accelerator;
    const beside = filesBeside(accelerator, declared);
    const own = lines.filter(
      ({ busId, path }) =>
        (busId !== undefined && busId === pciBusId && graphicsTypes.includes(type)) ||
        (busId === undefined && beside.includes(path)),
    );
    const deviceFiles = own.map(({ path, groupId }): DeviceFile => ({ path, groupId }));
    return deviceFiles.length === 0 ? accelerator : { ...accelerator, deviceFiles };
  });
}

/** Files that are looked for by their paths. */
function filesBeside({ type, index }: Accelerator, declared: readonly DeclaredType[]): readonly string[] {
  const nodes = declared.find((each) => each.type === type)?.nodes ?? [];
  return [...(lookUp(sharedFiles, type) ?? []), ...nodes.map((node) => node.replaceAll("{{index}}", String(index)))];
}

function readLine(line: string): (DeviceFile & { busId: string | undefined })[] {
  const [, place = "", group, path] = /^(\S+) (\d{1,10}) (\/dev\/[A-Za-z0-9_.:/-]+)$/.exec(line) ?? [];
  const groupId = wholeNumber(group);
  const busId = readBusId(place);
  // Cards that are not on the PCI bus are none of these.
  if (path === undefined || groupId === undefined || (busId === undefined && place !== "-")) return [];
  return [{ path, groupId, busId }];
}
