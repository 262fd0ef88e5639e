import { describe, expect, it } from "vitest";

import { findPlainSecrets } from "../../../src/planner/plain-secrets.js";
import { chat, stackOf } from "../support/problems.js";

const ofSetup = (setup: string) =>
  findPlainSecrets(stackOf({}, { hosts: { gpu: { connection: "local", setup: { a: setup } } } }));

describe("a secret in plain text", () => {
  it.each([
    ["curl --header 'Authorization: Bearer abc123'", "--header"],
    ["docker login --password hunter2-hunter2", "--password"],
    ["TOKEN=abc123 ./register", "TOKEN"],
    ["git clone https://me:pass@git.example.net/x", "an argument"],
    ["echo hf_abcdefghijklmnopqrstuvwxyz > ~/.token", "an argument"],
  ])("is told of a command, without its value: %s", (command, what) => {
    expect(ofSetup(command)).toEqual([
      `host gpu: setup a: ${what}: likely a secret in plain text; give it as secretEnv`,
    ]);
  });

  it.each([
    "sudo sysctl -w vm.swappiness=1",
    'curl --header "Authorization: Bearer $TOKEN" https://example.net',
    `printf 'header = "Authorization: Bearer %s"' "$BERTH_API_KEY" | curl --config - {{endpoint}}/models`,
    'export TOKEN="$(cat /run/token)"; ./register --token "$TOKEN" --password-file /run/p',
    "TOKEN=$HOME/token; KEY=`cat key`&& true",
    "apt-get install -y python3-venv",
    "docker ps --format '{{.Names}}'",
  ])("is none where the shell fills it in, or there is none: %s", (command) => {
    expect(ofSetup(command)).toEqual([]);
  });

  it("is told of what undoes a setup, of checks, and of drivers' options", () => {
    const hosts = {
      gpu: {
        connection: "local",
        setup: { a: { create: "true", delete: "logout --token abc123" } },
        networks: { n: { options: { encrypted: "true" } } },
        volumes: { v: { options: { type: "nfs", password: "hunter2" } } },
      },
    } as const;
    const stack = stackOf({ chat: chat({ verify: { smoke: "API_KEY=abc123 ./smoke" } }) }, { hosts });
    expect(findPlainSecrets(stack)).toEqual([
      "host gpu: setup a: --token: likely a secret in plain text; give it as secretEnv",
      "host gpu: volume v: option password: likely a secret in plain text; make it by a setup command, with secretEnv",
      "deployment chat: verify smoke: API_KEY: likely a secret in plain text; give it as secretEnv",
    ]);
  });
});
