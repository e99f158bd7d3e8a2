/**
 * The SDK speaks of the ledger's fields by their wire names in camelCase (`account_id` → `accountId`), by this rule
 * and no other. What a caller keeps in `metadata` keeps its keys.
 */
export type CamelCase<Key extends string> = Key extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Key;

export type Camelized<Value> = Value extends readonly (infer Item)[]
  ? readonly Camelized<Item>[]
  : Value extends object
    ? {
        readonly [
          Key in keyof Value as Key extends string ? CamelCase<Key> : never
        ]: Key extends FreeKey ? Value[Key] : Camelized<Value[Key]>;
      }
    : Value;

/** Maps whose keys are somebody else's. */
const FREE_KEYS = ['metadata', 'extended_config'] as const;
type FreeKey = (typeof FREE_KEYS)[number];

/** A reply's value; nested objects too. */
export function camelized<Value>(value: Value): Camelized<Value> {
  // The type says what the function does, key by key.
  return convert(value) as Camelized<Value>;
}

/** A request's fields, which are flat; those that are undefined are left out. */
export function toWire(fields: object): Record<string, unknown> {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([key, value]) => [snakeCase(key), value]));
}

function convert(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(convert);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) => [
      key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      FREE_KEYS.some((free) => free === key) ? field : convert(field),
    ]),
  );
}

function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
