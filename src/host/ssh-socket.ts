import { once } from "node:events";
import { connect, type Socket } from "node:net";

import { systemCode } from "../lib/errors.js";
import type { SshConnections } from "./ssh-connection.js";
import { connectionLost } from "./ssh-failure.js";

/** A connection that ends as soon as it is made is made so often. */
const mostMade = 3;

/**
 * A connection to a Unix socket of the host: over its connection, which listens at a socket of this machine for it. That
 * is asked for each time, and changes nothing where it does so already.
 */
export async function openSocketOver(connections: SshConnections, path: string): Promise<Socket> {
  for (let made = 0; ; made += 1) {
    const generation = connections.generation(0);
    if (await connections.forward(0, path)) {
      const socket = await connectTo(connections.forwardedSocket(0, path));
      if (socket !== undefined) return socket;
      // It is said to listen there, but its file is gone.
      await connections.endForward(0, path);
    }
    if (made === mostMade) throw connectionLost(connections.target);
    if (!(await connections.isAlive(0))) await connections.establish(0, generation);
  }
}

async function connectTo(path: string): Promise<Socket | undefined> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return socket;
  } catch (error) {
    if (["ENOENT", "ECONNREFUSED"].includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}
