import { z } from "zod";

/** What the engine hands on to programs, whose arguments and variables end at a NUL. */
export const engineText = z.string().regex(/^[^\0]*$/, { error: "expected text without a NUL character" });

/** A path on the host or in the container. */
export const containerPath = z.string().regex(/^(?:\/(?!\.{1,2}(?:\/|$))[^/\u0000-\u001f\u007f]{1,255}){1,100}$/, {
  error: "expected an absolute path without . .. and control characters, and no / at its end",
});

/** A network that somebody has made, as Docker names it: not the host's own, and not that of another container. */
export const dockerNetwork = z.string().regex(/^(?!(?:host|none|default|bridge)$)[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$/, {
  error: "expected the name of a Docker network, other than host, none, default and bridge",
});

export const user = z
  .string()
  .regex(/^(?:\d{1,10}|[a-z_][a-z0-9_-]{0,31})(?::(?:\d{1,10}|[a-z_][a-z0-9_-]{0,31}))?$/, {
    error: 'expected a user, or a user and a group, such as "1000:1000"',
  })
  .describe("User, or user and group, as whom it runs, by number or by the image's names. Default: the image's own");

/** A limit of the kernel's; -1 is what the Engine API calls unlimited. */
export const ulimit = z.union([z.int().min(0), z.literal("unlimited")], {
  error: "expected a whole number or unlimited",
});

export const stopSignal = z
  .string()
  .regex(/^SIG[A-Z][A-Z0-9]{1,9}$/, { error: "expected a signal, such as SIGTERM or SIGINT" })
  .describe("Signal that asks it to stop. Default: the image's own, else SIGTERM");

export const capabilities = z
  .array(z.string().regex(/^(?!CAP_|ALL$)[A-Z][A-Z_]{2,30}$/, { error: "expected a capability, such as SYS_PTRACE" }))
  .refine((list) => new Set(list).size === list.length, { error: "expected each capability once" })
  .describe("Capabilities of Linux that it has beside the usual ones, without CAP_. Default: none");

export const logRotation = z
  .strictObject({
    maxBytes: z
      .int()
      .min(1024)
      .default(50 * 2 ** 20)
      .describe("Size at which a new file is begun, bytes. Default 50 MiB"),
    files: z.int().min(1).max(100).default(3).describe("Files that are kept. Default 3"),
  })
  .describe("What of its output the engine keeps");
