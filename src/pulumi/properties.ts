/** Properties of a resource as Pulumi has them. */
export type Properties = Record<string, unknown>;

/** The text by which Pulumi finds its way back to the provider; not a property of ours. */
export function withoutProvider(properties: Properties): Properties {
  return Object.fromEntries(Object.entries(properties).filter(([field]) => field !== "__provider"));
}
