import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { describe, expect, it, onTestFinished } from "vitest";

import { planPush, pushImages } from "../../../src/bundle/push.js";
import { bundleFolder, imageNeed, makeBundle, removeBundle } from "../../support/bundles.js";
import { layeredImage } from "../../support/layered-image.js";
import { MemoryRegistry } from "../../support/memory-registry.js";
import { rejectionOf } from "../support/thrown.js";

type Ending = "it hangs up" | "its place for uploads is no address";

/** A registry that has nothing, and takes no upload to its end. */
async function brokenRegistry(ending: Ending) {
  const sent: string[] = [];
  const server = createServer((request, response) => {
    const { method = "" } = request;
    sent.push(method);
    if (method === "POST") {
      response.writeHead(202, { location: ending === "it hangs up" ? "/upload" : "http://[" }).end();
    } else if (method === "PUT") {
      request.socket.destroy();
    } else {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, sent };
}

describe("a push to a registry that takes nothing", () => {
  it.each<Ending>(["it hangs up", "its place for uploads is no address"])(
    "ends with an error that names the image: %s",
    async (ending) => {
      const from = await MemoryRegistry.start();
      const folder = await bundleFolder();
      onTestFinished(async () => {
        await from.close();
        await removeBundle(folder);
      });
      const { digest } = from.add(await layeredImage(["a layer"], {}));
      const { contents } = await makeBundle(folder, { images: [imageNeed(`${from.host}/team/engine:1`, digest)] });
      const { host, sent } = await brokenRegistry(ending);
      const targets = planPush(contents.images, { registry: `${host}/hub`, mirrors: {} });
      const pace = { retries: 1, firstWaitSeconds: 0 };
      const options = { asker: {}, mayReplace: false, tell: () => undefined, onPushed: () => undefined, pace };
      const error = await rejectionOf(pushImages(folder, targets, options));
      expect(error).toMatchObject({ code: "image-unavailable", parts: { where: `${host}/hub/team/engine:1` } });
      expect(sent.filter((method) => method === "POST").length).toBeGreaterThanOrEqual(1);
    },
  );
});
