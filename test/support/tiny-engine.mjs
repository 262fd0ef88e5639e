/**
 * An engine of a few lines for tests of gateways, in a process that can be killed. Arguments: its port, its name. It answers
 * with its name; after `delayMilliseconds` of the body, or by so many events as `stream` says, one each half second.
 */
import { createServer } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

const [port, name] = process.argv.slice(2);

const server = createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    try {
      void answer(JSON.parse(Buffer.concat(pieces).toString() || "{}"), response);
    } catch {
      response.writeHead(400).end("no JSON");
    }
  });
});
server.keepAliveTimeout = 1000;
server.listen(Number(port), "127.0.0.1", () => process.stdout.write("ready\n"));

async function answer({ stream = 0, delayMilliseconds = 0, model }, response) {
  if (stream === 0) {
    await delay(delayMilliseconds);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ name, model }));
    return;
  }
  response.setHeader("content-type", "text/event-stream");
  for (let event = 0; event < stream; event += 1) {
    response.write(`data: ${event}\n\n`);
    await delay(500);
  }
  response.end("data: [DONE]\n\n");
}
