import { BaseSequencer, type TestSpecification } from "vitest/node";

/** What takes minutes, by a part of its file's path, the longest first. */
const longest = [
  ...["/e2e/kill/", "/e2e/ray-group.", "/e2e/failure.", "/e2e/distributed.", "/e2e/rollout."],
  ...["/contract/converge.", "/contract/ssh-converge.", "/contract/systemd.", "/contract/supervisord."],
];

/** The longest files begin first; else one of them runs on alone when all others are done. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rankOf(a) - rankOf(b));
  }
}

function rankOf({ moduleId }: TestSpecification): number {
  const rank = longest.findIndex((part) => moduleId.includes(`/test${part}`));
  return rank === -1 ? longest.length : rank;
}
