import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { once } from "node:events";

type Pair = readonly [client: Socket, server: Socket];

/** Stands between a client and a port of loopback, and can be as bad as a network: slow, silent, or cut. */
export class TcpProxy {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #delayMilliseconds = 0;
  #hangs = false;
  #isDown = false;
  #gate: Promise<unknown> | undefined;
  /** Bytes that the client has sent, over all connections. */
  sent = 0;
  /** Connections that were made so far. */
  connections = 0;
  /** Called for each new one. */
  onConnection: () => void = () => undefined;

  private constructor(server: Server, targetPort: number) {
    this.#server = server;
    server.on("connection", (client) => this.#accept(client, targetPort));
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new TcpProxy(server, targetPort);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Holds back all bytes for so long, each way. */
  delay(milliseconds: number): void {
    this.#delayMilliseconds = milliseconds;
  }

  /** Holds back all bytes until something has happened. */
  hold(until: Promise<unknown>): void {
    this.#gate = until.then(() => (this.#gate = undefined));
  }

  /** Ends all connections, as when a machine on the way restarts: both ends are told. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
    this.#pairs.clear();
  }

  /** Loses all bytes of the connections there are, and tells nobody. New connections work. */
  hang(): void {
    for (const pair of this.#pairs) {
      for (const socket of pair) {
        socket.removeAllListeners("data");
        socket.on("data", () => undefined);
        socket.removeAllListeners("close");
      }
    }
    this.#pairs.clear();
  }

  /** Accepts new connections and never says a word. */
  stayMute(mute: boolean): void {
    this.#hangs = mute;
  }

  /** Ends new connections at once. */
  stayDown(down: boolean): void {
    this.#isDown = down;
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #accept(client: Socket, targetPort: number): void {
    this.connections += 1;
    this.onConnection();
    client.on("error", () => undefined);
    if (this.#isDown) {
      client.resetAndDestroy();
      return;
    }
    if (this.#hangs) return;
    const server = connect({ port: targetPort, host: "127.0.0.1", noDelay: true });
    server.on("error", () => undefined);
    const pair = [client, server] as const;
    this.#pairs.add(pair);
    client.on("data", (bytes: Buffer) => (this.sent += bytes.byteLength));
    this.#pass(client, server);
    this.#pass(server, client);
  }

  #pass(from: Socket, to: Socket): void {
    const later = (action: () => void): void => {
      if (this.#gate !== undefined) void this.#gate.then(action);
      else if (this.#delayMilliseconds === 0) action();
      else setTimeout(action, this.#delayMilliseconds);
    };
    from.on("data", (bytes: Buffer) => later(() => to.write(bytes)));
    from.on("close", () => later(() => to.destroy()));
  }
}
