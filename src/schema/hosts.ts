import { z } from "zod";

import { setupCommands } from "./commands.js";
import { networks, volumes } from "./docker.js";
import { port } from "./scalars.js";

const folder = z.string().regex(/^[^"\\;#[\]\u0000-\u001f\u007f]+$/, {
  error: 'expected a path without " \\ ; # [ ] and control characters, which supervisors cannot write down',
});

const labels = z.record(z.string(), z.string());

/** How a host is reached by ssh. What is left out is as ~/.ssh/config says; keys are never named here. */
export const sshTarget = z
  .strictObject({
    address: z
      .string()
      .regex(/^(?!-)[A-Za-z0-9._:%{}-]{1,253}$/, { error: "expected a host name, an IP address or an alias" })
      .describe("Name, IP address or alias of ~/.ssh/config. `{{host}}` is the host's name. Default: that name"),
    user: z
      .string()
      .regex(/^[A-Za-z0-9_][A-Za-z0-9._@-]{0,63}$/, { error: "expected the name of a user" })
      .optional()
      .describe("User. Default: as ~/.ssh/config says, else this user"),
    port: port.optional().describe("Port of its ssh server. Default: as ~/.ssh/config says, else 22"),
    configFile: z
      .string()
      .min(1)
      .optional()
      .describe("Configuration of ssh to use instead of ~/.ssh/config. Relative to the project"),
    downloads: z
      .enum(["host", "push"])
      .optional()
      .describe(
        "Who fetches models and release files: the host itself, or, where it has no route, this machine, which then sends them over ssh. Default: host",
      ),
    sudo: z
      .enum(["none", "nonInteractive"])
      .optional()
      .describe(
        "`nonInteractive`: all that is done on the host is done as root, by a sudo that asks for no password. Default: none",
      ),
  })
  .describe("How the host is reached by ssh");

const privateAddress = z
  .string()
  .regex(/^[A-Za-z0-9._{}-]{1,253}$/, { error: "expected an IPv4 address, or a host name" });

const fields = {
  connection: z
    .enum(["local", "ssh"])
    .describe("How the host is reached: `local` is this machine, `ssh` another one by the system's ssh"),
  ssh: sshTarget.partial().optional().describe("How the host is reached by ssh; with `connection: ssh`"),
  dataDir: folder
    .optional()
    .describe(
      "Where Berth keeps everything it puts on the host. Relative to the project, on another machine absolute. Default: /var/lib/berth as root, else ~/.local/share/berth",
    ),
  binDir: folder
    .optional()
    .describe(
      "Folder of executables, as BACKEND_VERSION. Relative to the project, on another machine absolute. Default: bin in the data directory",
    ),
  labels: labels.optional().describe("Labels, name to value"),
  retention: z
    .int()
    .min(0)
    .max(100)
    .optional()
    .describe("Versions of a backend whose downloads are kept when nobody wants them any more. Default 2"),
  pipxPath: z
    .string()
    .min(1)
    .optional()
    .describe(
      "pipx to use. Default: the host's own, else one that Berth installs for itself. A path given here is never replaced",
    ),
  runtime: z
    .enum(["systemd", "supervisord"])
    .optional()
    .describe("What keeps runners alive. Default: systemd where it runs, else supervisord"),
  gateway: z
    .enum(["haproxy", "none"])
    .optional()
    .describe(
      "What clients ask where an update has two runners at once: `haproxy` refuses a host without HAProxy 2.4 or later, `none` has every update stop the old runner first. Default: HAProxy where it is installed",
    ),
  portRange: z
    .tuple([port, port])
    .refine(([first, last]) => first <= last, { error: "expected [first, last] with first not above last" })
    .optional()
    .describe(
      "First and last port that the lock may give to runners. Below the ports that systems give to outgoing connections. Default [14000, 14999]",
    ),
  images: z
    .enum(["pull", "neverPull"])
    .optional()
    .describe(
      "Where the host's container images come from. `neverPull`: from nowhere, as a host without a network needs it; a missing image is an error that says how to load it. Default: pull",
    ),
  drain: z
    .boolean()
    .optional()
    .describe("Whether replicas go from it to other hosts, and none come. What lies ready on it stays. Default false"),
  privateAddress: privateAddress
    .optional()
    .describe(
      "Address of the host in the network that the hosts share, for instances that have several, and for a gateway on another host, which else takes the address of `ssh`; nobody else should be in that network. `{{host}}` is the host's name",
    ),
  reserved: z
    .strictObject({
      ramBytes: z.int().min(0).default(0).describe("Of the host's memory, bytes. Default 0"),
      vramBytes: z.int().min(0).default(0).describe("Of each accelerator's memory, bytes. Default 0"),
    })
    .optional()
    .describe("What placement leaves free for others"),
  setup: setupCommands.optional(),
  networks: networks.optional(),
  volumes: volumes.optional(),
};

/** Of no host, or of each; and numbers that are short for an address, such as `127.1`. */
const everybodysAddress = /^(?:0\.0\.0\.0|127\.[\d.]+|localhost|0x[\da-f]+|\d+(?:\.\d+){0,2})$/i;

/** What a host has by name: its own entries count beside those that hosts have in common. */
const byName = ["setup", "networks", "volumes"] as const;

const hostEntry = z
  .strictObject({
    ...fields,
    ssh: sshTarget.optional(),
    labels: labels.default({}),
    portRange: fields.portRange.default([14000, 14999]),
    privateAddress: z
      .string()
      .refine((address) => !everybodysAddress.test(address), {
        error: "expected an address of the network that the hosts share, not loopback and not all addresses",
      })
      .optional(),
  })
  .superRefine(({ connection, ssh, dataDir, binDir }, context) => {
    if (connection === "local") {
      if (ssh !== undefined)
        context.addIssue({ code: "custom", path: ["ssh"], message: "expected connection: ssh with it" });
      return;
    }
    for (const [field, path] of Object.entries({ dataDir, binDir })) {
      if (path === undefined || path.startsWith("/")) continue;
      const message = "expected an absolute path, because the host is another machine";
      context.addIssue({ code: "custom", path: [field], message, input: path });
    }
  })
  .describe("A machine that runs inference");

/** A host, or what hosts have in common: anything may be left out. */
export const writtenHost = z
  .strictObject({ ...fields, connection: fields.connection.optional() })
  .describe("A machine that runs inference");

/** The name of a host, or of several: `gpu-[01-24]`. */
export const hostPattern = z
  .string()
  .regex(
    /^(?=.{1,63}$)(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?|(?:[a-z0-9][a-z0-9-]*)?\[\d{1,4}-\d{1,4}\](?:[a-z0-9-]*[a-z0-9])?)$/,
    {
      error:
        "expected 1 to 63 characters of a-z, 0-9 and -, beginning and ending with a letter or digit; a range is gpu-[01-24]",
    },
  )
  .describe("1 to 63 characters of a-z, 0-9 and -; gpu-[01-24] stands for 24 names");

export type HostEntry = z.output<typeof hostEntry>;
export type SshTarget = z.output<typeof sshTarget>;

/** How a host is reached: this machine, or another one by the system's ssh. */
export type HostConnection = { readonly connection: "local" } | { readonly connection: "ssh"; readonly ssh: SshTarget };

/** The connection of a host, as stack files and locks write it. */
export function connectionOf({ ssh }: { readonly ssh?: SshTarget | undefined }): HostConnection {
  return ssh === undefined ? { connection: "local" } : { connection: "ssh", ssh };
}

type WrittenHost = z.output<typeof writtenHost>;

export interface HostProblem {
  /** Below `hosts`. */
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly input?: unknown;
}

/** One entry for each host, with the defaults: those of the stack, then those of the schema. Pure. */
export function expandHosts(
  written: Readonly<Record<string, WrittenHost>>,
  defaults: WrittenHost | undefined,
): { expanded: Record<string, HostEntry>; problems: HostProblem[] } {
  const problems: HostProblem[] = [];
  const expanded: Record<string, HostEntry> = {};
  const givenBy = new Map<string, string>();
  for (const [pattern, entry] of Object.entries(written)) {
    const names = expandPattern(pattern);
    if (names.length === 0) problems.push({ path: [pattern], message: "expected a range that begins below its end" });
    for (const name of names) {
      const before = givenBy.get(name);
      if (before !== undefined)
        problems.push({ path: [pattern], message: `"${before}" gives the host ${name} already` });
      givenBy.set(name, pattern);
      const parsed = hostEntry.safeParse(mergeHost(name, defaults, entry), { reportInput: true });
      if (parsed.success) expanded[name] = parsed.data;
      else if (name === names[0]) {
        problems.push(
          ...parsed.error.issues.map(({ path, message, input }) => ({ path: [pattern, ...path], message, input })),
        );
      }
    }
  }
  return { expanded, problems };
}

/** `gpu-[08-10]` is gpu-08, gpu-09, gpu-10: numbers are as wide as the first one. None for a range the wrong way round. */
export function expandPattern(pattern: string): string[] {
  const [, head = "", first = "", last = "", tail = ""] = /^(.*)\[(\d+)-(\d+)\](.*)$/.exec(pattern) ?? [];
  if (first === "") return [pattern];
  const count = Math.max(0, Number(last) - Number(first) + 1);
  return Array.from(
    { length: count },
    (_, index) => `${head}${String(Number(first) + index).padStart(first.length, "0")}${tail}`,
  );
}

function mergeHost(name: string, defaults: WrittenHost | undefined, entry: WrittenHost) {
  const merged = { ...defaults, ...entry };
  for (const field of byName) {
    if (merged[field] !== undefined) Object.assign(merged, { [field]: { ...defaults?.[field], ...entry[field] } });
  }
  const labels = { ...defaults?.labels, ...entry.labels };
  const ssh = merged.connection === "ssh" ? { ...defaults?.ssh, ...entry.ssh } : entry.ssh;
  const own = {
    labels,
    ...(merged.privateAddress === undefined
      ? {}
      : { privateAddress: merged.privateAddress.replaceAll("{{host}}", name) }),
  };
  if (ssh === undefined) {
    const { ssh: _, ...rest } = merged;
    return { ...rest, ...own };
  }
  const { address = "{{host}}", ...rest } = ssh;
  return { ...merged, ...own, ssh: { address: address.replaceAll("{{host}}", name), ...rest } };
}
