import { once } from "node:events";
import { connect, createServer, type ClientHttp2Session, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { onCancel } from "../../../src/pulumi/engine-cancel.js";

describe("what Pulumi's engine calls in this process", () => {
  let server: Http2Server;
  let client: ClientHttp2Session;

  beforeEach(async () => {
    server = createServer((_request, response) => response.end()).on("stream", () => undefined);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  afterEach(() => {
    client.destroy();
    server.close();
  });

  async function call(method: string): Promise<void> {
    const path = `/pulumirpc.ResourceProvider/${method}`;
    await once(client.request({ ":method": "POST", ":path": path }).end().resume(), "end");
  }

  it("is heard when it asks to come to an end, and is answered as before", async () => {
    let cancelled = 0;
    onCancel(() => (cancelled += 1));
    for (const method of ["Configure", "Create"]) await call(method);
    expect(cancelled).toBe(0);
    await call("Cancel");
    expect(cancelled).toBe(1);
  });
});
