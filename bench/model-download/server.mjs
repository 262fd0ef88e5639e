// Sends one file over HTTP, at most so many bytes a second when a rate is given: `{ path, bytesPerSecond }` as JSON.
// Tells its port. A process of its own, so that what is measured does not share a thread with it.
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { Transform } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";

const { path } = JSON.parse(process.argv[2]);
const size = statSync(path).size;

/** Passes bytes on at a pace. */
function paced(bytesPerSecond) {
  const begun = performance.now();
  let sent = 0;
  return new Transform({
    async transform(chunk, _encoding, done) {
      sent += chunk.byteLength;
      const early = (sent / bytesPerSecond) * 1000 - (performance.now() - begun);
      if (early > 1) await delay(early);
      done(null, chunk);
    },
  });
}

const server = createServer((request, response) => {
  const rate = Number(new URL(request.url, "http://localhost").searchParams.get("rate"));
  response.writeHead(200, { "content-length": size });
  const file = createReadStream(path, { highWaterMark: 1 << 20 });
  if (rate === 0) file.pipe(response);
  else file.pipe(paced(rate)).pipe(response);
});
server.listen(0, "127.0.0.1", () => process.send(server.address().port));
process.on("disconnect", () => process.exit());
