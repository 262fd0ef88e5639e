import type { LockedOrigin } from "../schema/model.js";

/** `Qwen/Qwen3-0.6B@c1899de`; never a secret. */
export function describeOrigin(from: LockedOrigin): string {
  switch (from.source) {
    case "wheels":
      return from.wheels.map(({ name, version }) => `${name}==${version}`).join(", ");
    case "url":
      return from.url.replace(/\?.*$/s, "");
    case "file":
      return from.path;
    case "huggingface":
      return `${from.repo}@${from.commit.slice(0, 7)}`;
  }
}
