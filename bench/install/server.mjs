import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";

/** A web server on loopback that gives the files of a folder. */
export async function serveFolder(folder) {
  const server = createServer(async (request, response) => {
    const path = join(folder, new URL(request.url, "http://localhost").pathname);
    const status = await stat(path).catch(() => undefined);
    const file = status?.isDirectory() ? join(path, "index.html") : path;
    const size = status?.isDirectory() ? (await stat(file).catch(() => undefined))?.size : status?.size;
    if (size === undefined) return void response.writeHead(404).end();
    const type = file.endsWith(".html") ? "text/html" : "application/octet-stream";
    response.writeHead(200, { "content-length": size, "content-type": type });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  return {
    url: (path) => `http://127.0.0.1:${port}${path}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
