/** As much of JSON Schema (draft 2020-12) as Berth's own schemas use. */
export interface JsonSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly propertyNames?: JsonSchema;
  readonly items?: JsonSchema | boolean;
  readonly prefixItems?: readonly JsonSchema[];
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly description?: string;
  readonly default?: unknown;
}

/** Whether a value is one that the schema describes. */
export function accepts(schema: JsonSchema | boolean, value: unknown): boolean {
  if (typeof schema === "boolean") return schema;
  const { anyOf, oneOf } = schema;
  return (
    (schema.type === undefined || hasType(schema.type, value)) &&
    (schema.const === undefined || schema.const === value) &&
    (schema.enum === undefined || schema.enum.includes(value)) &&
    (anyOf === undefined || anyOf.some((each) => accepts(each, value))) &&
    (oneOf === undefined || oneOf.filter((each) => accepts(each, value)).length === 1) &&
    (typeof value !== "string" || acceptsText(schema, value)) &&
    (typeof value !== "number" || (value >= (schema.minimum ?? -Infinity) && value <= (schema.maximum ?? Infinity))) &&
    (!Array.isArray(value) || acceptsList(schema, value)) &&
    (!isObject(value) || acceptsObject(schema, value))
  );
}

function hasType(type: string, value: unknown): boolean {
  switch (type) {
    case "object":
      return isObject(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function acceptsText({ pattern, minLength = 0 }: JsonSchema, value: string): boolean {
  return value.length >= minLength && (pattern === undefined || new RegExp(pattern, "u").test(value));
}

function acceptsList(schema: JsonSchema, value: readonly unknown[]): boolean {
  const { prefixItems = [], items = true, minItems = 0, maxItems = Infinity } = schema;
  if (value.length < minItems || value.length > maxItems) return false;
  return value.every((item, index) => accepts(prefixItems[index] ?? items, item));
}

function acceptsObject(schema: JsonSchema, value: Record<string, unknown>): boolean {
  const { properties = {}, required = [], additionalProperties = true, propertyNames = true } = schema;
  return (
    required.every((key) => value[key] !== undefined) &&
    Object.entries(value).every(
      ([key, item]) => accepts(propertyNames, key) && accepts(properties[key] ?? additionalProperties, item),
    )
  );
}

/** Every object schema inside a schema, with the path to it. */
export function objectsOf(schema: JsonSchema, path = "$"): { path: string; object: JsonSchema }[] {
  const { properties = {}, additionalProperties, items, prefixItems = [], anyOf = [], oneOf = [] } = schema;
  const inner: [string, JsonSchema | boolean | undefined][] = [
    ...Object.entries(properties).map(([key, each]): [string, JsonSchema] => [`${path}.${key}`, each]),
    ...[...prefixItems, ...anyOf, ...oneOf].map((each, index): [string, JsonSchema] => [`${path}[${index}]`, each]),
    [`${path}.*`, additionalProperties],
    [`${path}[*]`, items],
  ];
  return [
    ...(schema.properties === undefined ? [] : [{ path, object: schema }]),
    ...inner.flatMap(([at, each]) => (typeof each === "object" ? objectsOf(each, at) : [])),
  ];
}
