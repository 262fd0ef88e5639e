/**
 * The one error that Pulumi takes as "changed, but not as wanted": it keeps the resource with these properties and
 * tells the reasons. `properties` must hold `__provider`, which Pulumi does not add here as it does after success.
 */
export class PartialFailure extends Error {
  constructor(
    readonly id: string,
    readonly properties: Record<string, unknown>,
    readonly reasons: readonly string[],
  ) {
    super(reasons.join("\n"));
    this.name = "PartialFailure";
    this.stack = this.message;
  }
}
