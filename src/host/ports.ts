const listening = "0A";

/** The ports that something listens on, from Linux' `/proc/net/tcp` tables or BSD's `netstat -an -p tcp`. */
export function parseListeningPorts(format: "proc" | "netstat", text: string): Set<number> {
  const ports = new Set<number>();
  for (const line of text.split("\n")) {
    const fields = line.trim().split(/\s+/);
    const port = format === "proc" ? procPort(fields) : netstatPort(fields);
    if (port !== undefined && Number.isInteger(port)) ports.add(port);
  }
  return ports;
}

function procPort([, local, , state]: string[]): number | undefined {
  const hexadecimal = local?.split(":")[1];
  return state === listening && hexadecimal !== undefined ? Number.parseInt(hexadecimal, 16) : undefined;
}

function netstatPort(fields: string[]): number | undefined {
  const port = fields[3]?.split(".").at(-1);
  return fields.at(-1) === "LISTEN" && port !== undefined ? Number.parseInt(port, 10) : undefined;
}
