import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export interface FileServer {
  url(path: string): string;
  /** Paths that were asked for, in order. */
  readonly requests: string[];
  close(): Promise<void>;
}

export type Answer = string | Buffer | ((request: IncomingMessage, response: ServerResponse) => void);

/** A web server on loopback that gives the files it is told to give. */
export async function serveFiles(files: Record<string, Answer>, wantedPort = 0): Promise<FileServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    requests.push(path);
    const answer = files[path];
    if (answer === undefined) {
      response.writeHead(404).end();
    } else if (typeof answer === "function") {
      answer(request, response);
    } else {
      response.writeHead(200, { "content-length": Buffer.byteLength(answer) }).end(answer);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(wantedPort, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    requests,
    url: (path) => `http://127.0.0.1:${port}${path}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
