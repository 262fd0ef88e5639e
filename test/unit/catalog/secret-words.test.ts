import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { holdsSecret, isSecretName, maskWords, stripCommand, stripWords } from "../../../src/catalog/secret-words.js";

describe("isSecretName", () => {
  it.each([
    ...["HF_TOKEN", "TOKEN", "OPENAI_API_KEY", "API_KEY_2", "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "hf_token"],
    ...[
      "DB_PASS",
      "OPENAI_API_KEYS",
      "PGPASSWORD",
      "hfToken",
      "apiKey",
      "GITHUB_PAT",
      "MYSQL_PWD",
      "_TOKEN",
      "client.secret",
    ],
    ...[
      "--api-key",
      "--hf-token",
      "--ssl-keyfile-password",
      "-password",
      "HF_TOKENS",
      "HF_TOKEN_READ",
      "registry-credentials",
    ],
  ])("takes %s for one", (name) => {
    expect(isSecretName(name)).toBe(true);
  });

  it.each([
    ...["MAX_TOKENS", "TOKENIZERS_PARALLELISM", "KEYBOARD", "MONKEY", "VLLM_USE_V1", "TOKEN_LIMIT", "KEY_FILE", "PWD"],
    ...[
      "eos_token_id",
      "pad_token",
      "--max-tokens",
      "--tokenizer",
      "--api-key-file",
      "--ssl-keyfile",
      "BYPASS",
      "OLDPWD",
    ],
    ...["--enable-auth", "--kv-cache-dtype", "SECRET_PATH", "TOKEN_COUNT", "AUTHOR", ""],
  ])("takes %s for none", (name) => {
    expect(isSecretName(name)).toBe(false);
  });
});

describe("holdsSecret", () => {
  it.each([
    "http://u:pw@proxy:3128",
    "redis://:pw@cache/0",
    "https://token@git.example/x",
    "https://files.example/m?token=abc&x=1",
    '{"token": "abc"}',
    '{"a": {"api_key":"abc"}}',
    "Authorization: Bearer abc",
    "x;password=abc",
    `sk-${"a".repeat(20)}`,
    `hf_${"a".repeat(34)}`,
    "-----BEGIN RSA PRIVATE KEY-----",
  ])("finds one in %j", (text) => {
    expect(holdsSecret(text)).toBe(true);
  });

  it.each([
    "http://proxy:3128",
    "https://example.net/a@b",
    '{"eos_token_id": 2, "max_tokens": 5}',
    '{"token": "{{HF_TOKEN}}"}',
    "serve --port 8000",
    "TOKENIZERS_PARALLELISM=false",
    "key=/etc/ssl/key.pem",
    "",
  ])("finds none in %j", (text) => {
    expect(holdsSecret(text)).toBe(false);
  });

  it.each(["a", "a:", "=", "'", "eyJ", "a-", "://", "{{"])("is done soon with 200 kB of %j", (piece) => {
    expect(holdsSecret(piece.repeat(200_000 / piece.length))).toBe(false);
  });
});

describe("stripCommand", () => {
  it.each<[string, string | undefined, string[]]>([
    [
      "vllm serve {{model_path}} --api-key hunter2 --port {{port}}",
      "vllm serve {{model_path}} --port {{port}}",
      ["--api-key"],
    ],
    ["serve --api-key=hunter2", "serve", ["--api-key"]],
    ["serve --api_key 'hunter2 hunter2' {{ model_path }}", "serve {{ model_path }}", ["--api_key"]],
    ['serve --api-key "hunter2" -x', "serve -x", ["--api-key"]],
    ["serve '--api-key' hunter2", "serve", ["--api-key"]],
    ["serve --api-k'ey' hunter2", "serve", ["--api-key"]],
    ["serve \\\n  --api-key \\\n  hunter2 \\\n  --x", "serve \\\n  --x", ["--api-key"]],
    ["serve --api-key a-hunter2 hunter2 -x", "serve -x", ["--api-key"]],
    ["serve --token -hunter2", "serve", ["--token"]],
    ["HF_TOKEN=hunter2 serve", "serve", ["HF_TOKEN"]],
    ["env 'DB_PASS=hunter2' serve", "env serve", ["DB_PASS"]],
    ["serve --proxy http://u:hunter2@p --x", "serve --x", ["--proxy"]],
    ["serve --proxy=http://u:hunter2@p --x", "serve --x", ["--proxy"]],
    ['serve --header "Authorization: Bearer hunter2" --x', "serve --x", ["--header"]],
    [`serve --o '{"a": {"token": "hunter2"}}' --x`, "serve --x", ["--o"]],
    ["sh -c 'serve --api-key hunter2'", undefined, ["a command in quotes"]],
    [`sh -c "sh -c 'serve --api-key hunter2'"`, undefined, ["a command in quotes"]],
    ["serve --api-key hunter2 -x 'open", "serve -x 'open", ["--api-key"]],
  ])("of %j leaves %j", (text, left, names) => {
    const stripped = stripCommand(text);
    expect([stripped.text, stripped.names]).toEqual([left, names]);
  });

  it.each([
    "serve {{model_path}} --api-key {{API_KEY}} --port {{port}}",
    "serve  --max-tokens 5   --tokenizer t",
    "serve --api-key $API_KEY",
    "serve --api-key-file /run/key",
    `sh -c 'exec serve --port "$PORT"'`,
    `--hf-overrides '{"eos_token_id": 5}'`,
    "",
  ])("leaves %j as it is", (text) => {
    expect(stripCommand(text)).toEqual({ text, names: [] });
  });

  it("leaves nothing of a secret, wherever its flag stands", () => {
    const word = fc.constantFrom("serve", "--x", "-y", "{{port}}", '"a b"', "'c'", "--z=1", "\\\n", "5");
    const secret = fc.constantFrom(
      "--api-key hunter2",
      "--token='hunter2 x'",
      "A_KEY=hunter2",
      "--p http://a:hunter2@b",
    );
    fc.assert(
      fc.property(fc.array(word), secret, fc.array(word), (before, middle, after) => {
        const { text, names } = stripCommand([...before, middle, ...after].join(" "));
        expect(text).not.toContain("hunter2");
        expect(names.join(" ")).not.toContain("hunter2");
        expect(names).not.toEqual([]);
      }),
    );
  });
});

describe("words", () => {
  it("are left out with their flags, or masked", () => {
    const words = ["--a", "1", "--api-key", "hunter2", "--b", "--token=hunter2", "http://u:hunter2@x", "{{x}}"];
    expect(stripWords(words)).toEqual({
      words: ["--a", "1", "--b", "{{x}}"],
      names: ["--api-key", "--token", "an argument"],
    });
    expect(maskWords(words)).toEqual([
      ...["--a", "1", "--api-key", "[secret]", "--b", "--token=[secret]", "[secret]", "{{x}}"],
    ]);
  });

  it.each(['{"token":"hunter2=x"}', "https://u:hunter2@h/?token=1", "-hunter2 http://u:hunter2@h"])(
    "are never told by a part of themselves: %s",
    (word) => {
      const { words, names } = stripWords([word]);
      expect([...words, ...names].join(" ")).not.toContain("hunter2");
    },
  );
});
