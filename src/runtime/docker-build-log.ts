import { BinaryReader } from "@bufbuild/protobuf/wire";

/** https://github.com/moby/buildkit/blob/master/api/services/control/control.proto */
const statusLogs = 3;
const logMessage = 4;

/** The lines that a build's commands printed, of BuildKit's `StatusResponse`. */
export function readBuildLog(status: Uint8Array): string[] {
  const logs = fieldsOf(status, statusLogs).flatMap((log) => fieldsOf(log, logMessage));
  return Buffer.concat(logs)
    .toString("utf8")
    .split(/\r?\n/)
    .filter((line) => line !== "");
}

/** The values of a field of a message, of those that have a length. */
function fieldsOf(message: Uint8Array, wanted: number): Uint8Array[] {
  const reader = new BinaryReader(message);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === wanted) found.push(reader.bytes());
    else reader.skip(type, field);
  }
  return found;
}
