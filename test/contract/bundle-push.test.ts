import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import type { BundleFolder } from "../../src/bundle/folder.js";
import { planPush, pushImages, type Pushed } from "../../src/bundle/push.js";
import { mirrorImage } from "../../src/catalog/image-mirror.js";
import { askImageDigest, askImagePlatforms } from "../../src/lock/image-digest.js";
import type { BundledImage } from "../../src/schema/bundle.js";
import { bundleFolder, imageNeed, makeBundle, removeBundle } from "../support/bundles.js";
import { ImageRegistry, registryPassword, registryUser } from "../support/image-registry.js";
import { layeredImage } from "../support/layered-image.js";
import { whyNoTestImages } from "../support/test-image.js";
import { rejectionOf } from "../unit/support/thrown.js";

const missing = await whyNoTestImages();
const isLeftOut = missing !== undefined && process.env.BERTH_TEST_ALL !== "1";

describe.skipIf(isLeftOut)(
  `images of a bundle in another registry${isLeftOut ? ` (left out: ${missing})` : ""}`,
  () => {
    let from: ImageRegistry;
    let to: ImageRegistry;
    let folder: BundleFolder;
    let images: readonly BundledImage[];
    /** By its digest. */
    let reference: string;
    const asker = { findLogin: () => Promise.resolve({ username: registryUser, password: registryPassword }) };

    beforeAll(async () => {
      from = await ImageRegistry.start({ login: false });
      to = await ImageRegistry.start();
      folder = await bundleFolder();
      const [amd64, arm64] = [
        await layeredImage(["shared", "one"], {}, "amd64"),
        await layeredImage(["shared", "two"], {}, "arm64"),
      ];
      const { digest } = await from.pushIndex("team/engine", "1", { "linux/amd64": amd64, "linux/arm64": arm64 });
      reference = `${from.host}/team/engine:1`;
      const needs = { images: [imageNeed(reference, digest)] };
      ({
        contents: { images },
      } = await makeBundle(folder, needs, { platforms: "all" }));
      await from.close();
    });
    afterAll(async () => {
      await to.close();
      await removeBundle(folder);
    });

    const push = async (who = asker, mayReplace = false): Promise<Pushed[]> => {
      const targets = planPush(images, { registry: `${to.host}/hub`, mirrors: {} });
      const pushed: Pushed[] = [];
      const onPushed = (each: Pushed) => void pushed.push(each);
      await pushImages(folder, targets, { asker: who, mayReplace, tell: () => undefined, onPushed });
      return pushed;
    };

    it("are refused to those who do not log in, and no error tells the password", async () => {
      const wrong = { findLogin: () => Promise.resolve({ username: registryUser, password: `${registryPassword}-x` }) };
      const error = await rejectionOf(push(wrong));
      expect(error).toMatchObject({ code: "image-unavailable" });
      expect(String(error)).toContain("login");
      expect(String(error)).not.toContain(registryPassword);
    });

    it("keep their digests, where the mirror's rule finds them; a second push sends nothing", async () => {
      const [pushed] = await push();
      expect(pushed?.sentBytes).toBeGreaterThan(1000);
      const name = mirrorImage(reference, { [from.host]: `${to.host}/hub` });
      const digest = images[0]?.digest ?? "";
      expect(await askImageDigest(name, asker)).toEqual({ kind: "found", digest });
      expect(Object.keys((await askImagePlatforms(name, digest, asker)) ?? {})).toEqual(["linux/amd64", "linux/arm64"]);
      expect(await push()).toMatchObject([{ sentBytes: 0, movedFrom: undefined }]);
    });

    it("take a tag that leads elsewhere only when that is asked for, and it is told from where", async () => {
      const digest = images[0]?.digest ?? "";
      const other = await to.push("hub/team/engine", "1");
      const name = mirrorImage(reference, { [from.host]: `${to.host}/hub` });
      const error = await rejectionOf(push());
      expect(error).toMatchObject({ code: "usage", parts: { where: name, got: other, expected: digest } });
      expect(String(error)).toContain("--replace");
      expect(await askImageDigest(name, asker)).toMatchObject({ digest: other });
      expect(await push(asker, true)).toMatchObject([{ movedFrom: other }]);
      expect(await askImageDigest(name, asker)).toMatchObject({ digest });
      expect(await push(asker, true)).toMatchObject([{ movedFrom: undefined }]);
    });

    it("are not sent at all when one of their tags leads elsewhere", async () => {
      const empty = await ImageRegistry.start();
      onTestFinished(() => empty.close());
      const other = await empty.push("hub/second", "1");
      const [image] = images;
      if (image === undefined) throw new Error("there is an image");
      const both = [image, { ...image, reference: `${from.host}/second:1` }];
      const targets = planPush(both, { registry: `${empty.host}/hub`, mirrors: {} });
      const options = { asker, mayReplace: false, tell: () => undefined, onPushed: () => undefined };
      expect(await rejectionOf(pushImages(folder, targets, options))).toMatchObject({ parts: { got: other } });
      expect(await askImageDigest(`${empty.host}/hub/team/engine:1`, asker)).toEqual({ kind: "unknown" });
    });
  },
);
