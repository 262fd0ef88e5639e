// Ports of loopback that lead to another one and hand on what it says some milliseconds late. Those that are mute accept
// connections and never say a word. Tells its ports by the first message, and then how many connections each has had.
import { connect, createServer } from "node:net";

const { target, late, mute, milliseconds } = JSON.parse(process.argv[2]);

async function open(isMute) {
  const port = { port: 0, connections: 0 };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    port.connections += 1;
    client.on("error", () => {});
    if (isMute) return void client.resume();
    const peer = connect(target, "127.0.0.1");
    peer.on("error", () => {});
    client.pipe(peer);
    peer.on("data", (bytes) => setTimeout(() => client.write(bytes), milliseconds));
    peer.on("close", () => setTimeout(() => client.destroy(), milliseconds));
    client.on("close", () => peer.destroy());
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  port.port = server.address().port;
  return port;
}

const ports = [];
for (let index = 0; index < late + mute; index += 1) ports.push(await open(index >= late));
process.on("message", () => process.send(ports));
process.on("disconnect", () => process.exit());
process.send(ports);
