import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { findUniversalWheel, parseIndexPage } from "../../../src/model/package-index.js";
import { thrownBy } from "../support/thrown.js";

const digest = "0123456789abcdef".repeat(4);
const html = (...anchors: string[]) =>
  parseIndexPage("text/html", `<!DOCTYPE html><html><body>${anchors.join("<br>")}</body></html>`);
const json = (page: unknown) => parseIndexPage("application/vnd.pypi.simple.v1+json", JSON.stringify(page));

describe("parseIndexPage of HTML (PEP 503)", () => {
  it.each([
    ["absolute", `https://files.example/packages/ab/m-1.0-py3-none-any.whl#sha256=${digest}`],
    ["relative", `../../packages/ab/m-1.0-py3-none-any.whl#sha256=${digest}`],
    ["of the file alone", `m-1.0-py3-none-any.whl#sha256=${digest}`],
    ["with a query", `/f/m-1.0-py3-none-any.whl?token=a/b.whl#sha256=${digest}`],
    ["with entities", `/f/m-1.0-py3-none-any.whl?a=1&amp;b=2#sha256&#61;${digest}`],
    ["with an upper-case digest", `/f/m-1.0-py3-none-any.whl#sha256=${digest.toUpperCase()}`],
  ])("reads a link that is %s", (_, link) => {
    expect(html(`<a href="${link}" data-requires-python="&gt;=3.8">m</a>`)).toEqual([
      { file: "m-1.0-py3-none-any.whl", sha256: digest },
    ]);
  });

  it("reads a file's name with its escapes", () => {
    expect(html(`<a href="/f/m-1.0%2Bcu12-py3-none-any.whl#sha256=${digest}">m</a>`)).toEqual([
      { file: "m-1.0+cu12-py3-none-any.whl", sha256: digest },
    ]);
  });

  it.each(["", "#md5=0123", "#sha256=0123", `#sha256=${digest}0`, `#sha256=${"g".repeat(64)}`])(
    "knows no digest from %j",
    (fragment) => {
      expect(html(`<a href="/f/m-1.0.tar.gz${fragment}">m</a>`)).toEqual([{ file: "m-1.0.tar.gz", sha256: undefined }]);
    },
  );

  it("reads every link, in order, of tags in any case and never closed", () => {
    const page = `<A HREF='a-1.whl'>a<A HREF=b-1.whl>b<br/><a href="c-1.whl">`;
    expect(parseIndexPage("text/html; charset=utf-8", page).map(({ file }) => file)).toEqual([
      "a-1.whl",
      "b-1.whl",
      "c-1.whl",
    ]);
  });

  it("reads no link from comments, scripts or text", () => {
    expect(html('<!-- <a href="a.whl"> -->', "<script>'<a href=b.whl>'</script>", "&lt;a href=c.whl&gt;")).toEqual([]);
  });

  it("passes over links that are none, and keeps the others", () => {
    const anchors = ["<a>x</a>", '<a href="">x</a>', '<a href="%zz.whl">x</a>', '<a href="http://[/x.whl">x</a>'];
    expect(html(...anchors, '<a href="ok-1.whl">x</a>').filter(({ file }) => file !== "")).toEqual([
      { file: "ok-1.whl", sha256: undefined },
    ]);
  });

  it("reads pages nested very deeply", () => {
    expect(html(`${"<div>".repeat(50_000)}<a href="deep-1.whl">x</a>`)).toEqual([
      { file: "deep-1.whl", sha256: undefined },
    ]);
  });
});

describe("parseIndexPage of JSON (PEP 691)", () => {
  it("reads files with their digests, told by the content type", () => {
    const page = {
      meta: { "api-version": "1.0" },
      name: "m",
      files: [
        { filename: "m-1.0-py3-none-any.whl", url: "https://x", hashes: { sha256: digest, md5: "0" } },
        { filename: "m-1.0.tar.gz", hashes: {} },
        { filename: "m-2.0.tar.gz", hashes: { sha256: digest.toUpperCase() } },
      ],
    };
    expect(json(page)).toEqual([
      { file: "m-1.0-py3-none-any.whl", sha256: digest },
      { file: "m-1.0.tar.gz", sha256: undefined },
      { file: "m-2.0.tar.gz", sha256: digest },
    ]);
  });

  it.each([
    ["no list", { files: "x" }],
    ["null", null],
    ["a number", 5],
    ["files that are none", { files: [null, 1, "x", {}, { filename: 5 }] }],
  ])("finds no files in a page that is %s", (_, page) => {
    expect(json(page)).toEqual([]);
  });

  it.each(["../../etc/passwd", "0123", `${digest}0`, 5, null])("takes %j for no digest", (sha256) => {
    expect(json({ files: [{ filename: "m-1.0.tar.gz", hashes: { sha256 } }] })).toEqual([
      { file: "m-1.0.tar.gz", sha256: undefined },
    ]);
  });
});

describe("parseIndexPage of anything", () => {
  it("gives names, and digests that are digests", () => {
    const page = fc.oneof(
      fc.string({ unit: "binary" }),
      fc
        .array(fc.constantFrom("<a ", "href=", '"', "#sha256=", digest, ">", "</a>", "%", "&#", "<!--", "..", "/"))
        .map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(page, (text) => {
        for (const { sha256 } of parseIndexPage("text/html", text)) {
          if (sha256 !== undefined) expect(sha256).toMatch(/^[0-9a-f]{64}$/);
        }
      }),
    );
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        for (const { sha256 } of json({ files: value })) expect(sha256 ?? digest).toMatch(/^[0-9a-f]{64}$/);
      }),
    );
  });
});

describe("findUniversalWheel", () => {
  const find = (files: string[], name = "my-model", version = "1.0", sha256: string | undefined = digest) =>
    findUniversalWheel(
      files.map((file) => ({ file, sha256 })),
      name,
      version,
      "https://pip.example/my-model/",
    );

  it.each([
    ["my_model-1.0-py3-none-any.whl", "my-model"],
    ["My.Model-1.0-py2.py3-none-any.whl", "my_model"],
    ["my_model-1.0-1-py3-none-any.whl", "MY-MODEL"],
  ])("finds %s for %s", (file, name) => {
    expect(find(["my_model-0.9-py3-none-any.whl", file], name)).toEqual({ sha256: digest });
  });

  it.each([
    "my_model-1.0-cp312-cp312-manylinux_2_17_x86_64.whl",
    "my_model-1.0.tar.gz",
    "my_model-1.0-py3-none-any.whl.metadata",
    "my_model-1.0.1-py3-none-any.whl",
    "my_model_extra-1.0-py3-none-any.whl",
    "other-1.0-py3-none-any.whl",
    "any.whl",
  ])("does not take %s, and tells what it looked for", (file) => {
    const error = thrownBy(() => find([file]));
    expect(error.code).toBe("index-unreachable");
    expect(error.message).toBe(
      [
        "https://pip.example/my-model/: the package index has no wheel of this version for all platforms",
        "  got: 1 files, none of them my-model 1.0",
        "  to do: check name and version, or name another index: `mirrors: { pip: https://... }`",
      ].join("\n"),
    );
  });

  it("refuses a wheel whose digest the index does not tell", () => {
    const files = [{ file: "my_model-1.0-py3-none-any.whl", sha256: undefined }];
    const error = thrownBy(() => findUniversalWheel(files, "my-model", "1.0", "https://pip.example/my-model/"));
    expect(error.message).toContain("the package index gives no SHA-256 for the wheel");
  });

  it("prefers, of several wheels that fit, one whose digest is told", () => {
    const file = "my_model-1.0-py3-none-any.whl";
    const files = [
      { file, sha256: undefined },
      { file: "my_model-1.0-1-py3-none-any.whl", sha256: digest },
    ];
    expect(findUniversalWheel(files, "my-model", "1.0", "https://pip.example")).toEqual({ sha256: digest });
  });
});
