import { Server } from "node:net";

/** The call by which the engine tells its plugins, at the first Ctrl-C, that it would like to end. */
const cancelPath = "/pulumirpc.ResourceProvider/Cancel";

/** Only this way a process finds a server in it that others have made. */
interface WithHandles {
  readonly _getActiveHandles?: () => readonly unknown[];
}

/**
 * Listens for the engine's call to cancel. Pulumi's server for dynamic providers answers it and tells nobody, and plugins
 * get no signal from the terminal: each is in a process group of its own. Without such a server nothing is heard.
 */
export function onCancel(tell: () => void): void {
  const handles = (process as WithHandles)._getActiveHandles?.() ?? [];
  for (const server of handles) {
    if (!(server instanceof Server) || server.listenerCount("stream") === 0) continue;
    server.on("stream", (_stream: unknown, headers: Readonly<Record<string, unknown>>) => {
      if (headers[":path"] === cancelPath) tell();
    });
  }
}
