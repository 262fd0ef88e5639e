import { describe, expect, it } from "vitest";

import type { PullProgress } from "../../src/runtime/container-engine.js";
import type { EngineStage } from "./container-engine.js";

export function describeImages(stageOf: () => EngineStage): void {
  describe("images", () => {
    it("are found by name and id, and are nothing when they are not there", async () => {
      const { engine, setting } = stageOf();
      const found = await engine.findImage(setting.image);
      expect(found?.id).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect(found?.sizeBytes).toBeGreaterThan(0);
      expect(await engine.findImage(found?.id ?? "")).toEqual(found);
      expect(await engine.findImage("berth-test-none:1")).toBeUndefined();
      expect(await engine.findImage(setting.pullable.reference)).toBeUndefined();
    });

    it("are pulled by digest with a login, with progress to the end; again changes nothing", async () => {
      const { engine, setting } = stageOf();
      const { reference, login } = setting.pullable;
      const seen: PullProgress[] = [];
      await engine.pull(reference, { login, onProgress: (progress) => seen.push(progress) });
      const found = await engine.findImage(reference);
      expect(found?.digests).toContain(reference);
      const last = seen.at(-1);
      expect(last?.layers).toBeGreaterThan(0);
      expect(last).toMatchObject({ doneLayers: last?.layers, bytes: last?.totalBytes });
      await engine.pull(reference, { login });
      expect(await engine.findImage(reference)).toEqual(found);
      await engine.removeImage(reference);
      expect(await engine.findImage(reference)).toBeUndefined();
      await engine.removeImage(reference);
    });

    it("stay when a container is made of them", async () => {
      const stage = stageOf();
      const { reference, login } = stage.setting.pullable;
      await stage.engine.pull(reference, { login });
      const id = await stage.run("holds", "idle", { Image: reference });
      await expect(stage.engine.removeImage(reference)).rejects.toMatchObject({ code: "docker-refused" });
      await stage.engine.removeContainer(id);
      await stage.engine.removeImage(reference);
    });

    it("are not pulled without a login, or with a wrong one, which no error tells", async () => {
      const { engine, setting } = stageOf();
      const { reference, login } = setting.pullable;
      const wrong = { username: login.username, password: "canary-wrong-5e1c" };
      for (const options of [{}, { login: wrong }]) {
        const error: unknown = await engine.pull(reference, options).catch((caught: unknown) => caught);
        expect(error).toMatchObject({ code: "image-unavailable" });
        expect(String(error)).toContain(reference);
        expect(String(error)).toContain("docker login");
        expect(String(error)).not.toContain(wrong.password);
      }
    });

    it("that the registry does not have are told as such", async () => {
      const { engine, setting } = stageOf();
      const { reference, login } = setting.pullable;
      const absent = reference.replace(/[0-9a-f]{64}$/, "a".repeat(64));
      const pulled = engine.pull(absent, { login });
      await expect(pulled).rejects.toMatchObject({
        code: "image-unavailable",
        parts: { what: "the registry has no such image" },
      });
    });

    it("are not pulled when nobody wants them any more", async () => {
      const { engine, setting } = stageOf();
      const { reference, login } = setting.pullable;
      const signal = AbortSignal.abort(new Error("enough"));
      await expect(engine.pull(reference, { login, signal })).rejects.toThrow("enough");
      expect(await engine.findImage(reference)).toBeUndefined();
    });
  });
}
