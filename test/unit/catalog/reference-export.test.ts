import { describe, expect, it } from "vitest";

import { readReferenceExport } from "../../../src/catalog/reference-export.js";
import { exportedItems, newExport, oldExport } from "../support/reference-exports.js";
import { thrownBy } from "../support/thrown.js";

const model = { name: "m", source: "local_path", local_path: "/m.gguf" };
const kindsOf = (document: unknown) => readReferenceExport(document, "x.json").map(({ kind }) => kind);

describe("readReferenceExport", () => {
  it("knows what it is given by its keys, of both times", () => {
    const kinds = (names: string[]) => exportedItems(...names).map(({ kind }) => kind);
    const times = (count: number, kind: string) => Array.from({ length: count }, () => kind);
    expect(kinds(oldExport)).toEqual([...times(7, "model"), "worker"]);
    expect(kinds(newExport)).toEqual([...times(5, "backend"), ...times(5, "model"), ...times(2, "worker")]);
  });

  it("takes one thing, a list, and a page of a list", () => {
    expect(kindsOf(model)).toEqual(["model"]);
    expect(kindsOf([model, { backend_name: "b" }])).toEqual(["model", "backend"]);
    expect(kindsOf({ items: [model], pagination: {} })).toEqual(["model"]);
    expect(kindsOf([])).toEqual([]);
  });

  it("tells models of v0.7 and earlier from those of v2", () => {
    const times = (names: string[]) =>
      exportedItems(...names).flatMap((item) => (item.kind === "model" ? [item.isOld] : []));
    expect(new Set(times(oldExport))).toEqual(new Set([true]));
    expect(new Set(times(newExport))).toEqual(new Set([false]));
  });

  it.each([
    [
      { backend_name: "b", versions: [] },
      "the short list of backends says nothing of images; export /v2/inference-backends",
    ],
    [
      { name: "m-1", source: "huggingface", model_id: 1, worker_id: 1 },
      "instances follow from deployments; they are not imported",
    ],
    [{ name: "r", targets: [] }, "x.json is no backend, model or worker (it has name, targets)"],
    [{}, "x.json is no backend, model or worker (it has no keys)"],
  ])("says of %j that it is not imported", (item, what) => {
    expect(readReferenceExport(item, "x.json")).toEqual([{ kind: "other", what }]);
  });

  it.each([["text"], [1], [null], [[1]], [{ items: "x" }], [{ items: [model, null] }]])("refuses %j", (document) => {
    const { code, message } = thrownBy(() => readReferenceExport(document, "x.json"));
    expect([code, message.split("\n")[0]]).toEqual([
      "file-invalid",
      "x.json: this is nothing that GPUStack's API returns",
    ]);
  });

  it("names the item and the key that are wrong", () => {
    const items = [model, { ...model, replicas: "two", env: { A: 1 } }];
    expect(thrownBy(() => readReferenceExport({ items }, "x.json")).message).toBe(
      "x.json items[1]: replicas: Invalid input: expected number, received string; env.A: Invalid input: expected string, received number",
    );
  });
});

describe("a file that is nested very deeply", () => {
  it.each([
    ["lists", (inner: unknown): unknown => [inner]],
    ["maps", (inner: unknown): unknown => ({ items: inner })],
    ["a model", (inner: unknown): unknown => ({ name: "m", source: "s", meta: inner })],
  ])("is refused, of %s", (_, wrap) => {
    let document: unknown = {};
    for (let depth = 0; depth < 200_000; depth++) document = wrap(document);
    const error = thrownBy(() => readReferenceExport(document, "x.json"));
    expect([error.code, error.parts.what]).toEqual(["file-invalid", "the file is nested too deeply"]);
  });

  it("is taken with a few levels", () => {
    const model = { name: "m", source: "s", meta: { a: [{ b: [{ c: null }] }] } };
    expect(readReferenceExport({ items: [model] }, "x.json")).toHaveLength(1);
  });
});
