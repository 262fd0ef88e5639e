import { expect, it } from "vitest";

import { releaseAddress } from "../../../src/catalog/release-address.js";

const url = "https://github.com/ggml-org/llama.cpp/releases/download/b1/llama-b1-bin-ubuntu-x64.tar.gz?x=1";
const path = "/ggml-org/llama.cpp/releases/download/b1/llama-b1-bin-ubuntu-x64.tar.gz?x=1";

it.each([
  [undefined, url],
  ["https://files.example.net", `https://files.example.net${path}`],
  ["https://files.example.net/tools", `https://files.example.net/tools${path}`],
  ["http://127.0.0.1:8000/tools//", `http://127.0.0.1:8000/tools${path}`],
])("with the mirror %s a release is at %s", (mirror, address) => {
  expect(releaseAddress(url, mirror)).toBe(address);
});
