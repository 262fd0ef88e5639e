import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The loops that kill take longest by far, so they begin first; else one of them runs on alone when all others are done. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => moduleId.includes("/test/e2e/kill/");
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}
