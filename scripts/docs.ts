import { readFileSync, writeFileSync } from 'node:fs';
import { type ErrorDefinition, HTTP_ERRORS, LEDGER_ERRORS } from '@points/contracts/errors';
import {
  ACCOUNT_EVENT_DATA,
  CONFIG_EVENT_DATA,
  MODEL_EVENT_DATA,
} from '@points/contracts/stored-data';
import { ANCHOR_EVENT_DATA } from '@points/contracts/stored-anchors';
import { PRICE_LIST_EVENT_DATA } from '@points/contracts/stored-price-lists';
import { schemaName, type StoredEventType } from '@points/contracts/stored-events';
import { z } from 'zod';

/**
 * Writes docs/events.md and docs/errors.md from the schemas, the list of errors and the golden events.
 * With `--check` it writes nothing and exits 1 when a page is not what it would write.
 */
const ROOT = new URL('../', import.meta.url);

const pages = [
  { path: 'docs/events.md', text: eventsPage() },
  { path: 'docs/errors.md', text: errorsPage() },
];

if (process.argv.includes('--check')) {
  const stale = pages.filter(({ path, text }) => readPage(path) !== text);
  for (const { path } of stale) console.error(`${path} is not up to date: run npm run docs`);
  if (stale.length > 0) process.exitCode = 1;
} else {
  for (const { path, text } of pages) writeFileSync(new URL(path, ROOT), text);
}

function readPage(path: string): string {
  try {
    return readFileSync(new URL(path, ROOT), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}

function eventsPage(): string {
  return `# Events

<!-- Written by \`npm run docs\` from packages/contracts. Do not edit. -->

The log is the truth: every balance is the sum of these events, and every read table can be rebuilt from them. Event
types and field names are storage format and are never renamed. A new field is optional, or comes with a new version
of the event and a step that brings older events up to date when they are read.

- **Points** are integers (JSON numbers, never beyond 2^53 − 1). **Times** are ISO-8601 UTC with milliseconds. Names
  that end in \`_ms\` are milliseconds.
- Lists of batches are in the order in which points were used.
- A reader must have every field that is not marked optional, and ignores fields that it does not know. An event that
  it cannot read stops it: leaving one out would falsify every sum that follows.
- \`PointsHeld\` and the others on \`account-*\` list every batch that they touch, so replaying is arithmetic and decides
  nothing again.

| Stream | Holds | Events |
|---|---|---|
| \`account-<account id>\` | one user's points | ${links(Object.keys(ACCOUNT_EVENT_DATA))} |
| \`aiModel-<model id>\` | one model of the catalog | ${links(Object.keys(MODEL_EVENT_DATA))} |
| \`priceList-<kind>\` | what can be bought: \`credits\` (packages of points) or \`membership\` | ${links(Object.keys(PRICE_LIST_EVENT_DATA))} |
| \`pricingConfig-ledger\` | what operations cost | ${links(Object.keys(CONFIG_EVENT_DATA))} |
| \`auditAnchor-ledger\` | what an auditor has signed about all of the above | ${links(Object.keys(ANCHOR_EVENT_DATA))} |

\`accountSnapshot-<account id>\` and \`priceSnapshot-ledger\` are caches and no part of the log: one \`SnapshotTaken {version,
at, state}\` each, and deleting them changes no answer.

## Metadata

Beside its data every event has a flat map of strings.

| Key | Meaning |
|---|---|
| \`schema\` | Type and version of the data, such as \`PointsHeld.v1\` |
| \`command_id\` | The command that caused it (UUIDv7) |
| \`command\` | Its verb, such as \`hold\` |
| \`index\` | Place among the events of that command, from 0 |
| \`request_hash\` | SHA-256 (hex) of what was asked: the same \`command_id\` with another one is refused |
| \`actor_type\` | Who asked: \`client\`, \`user\` or \`system\` |
| \`actor_id\` | The client, the user, or the part of the system |
| \`$correlationId\` | The same for everything that belongs together |
| \`$causationId\` | What it follows from |
| \`occurred_at\` | When it was decided; never earlier than the event before it |
| \`prev_hash\` | \`hash\` of the event before it in the stream; 64 zeros at revision 0 |
| \`hash\` | SHA-256 (hex) of the RFC 8785 JSON of \`{stream, revision, type, data, metadata}\`, metadata without \`hash\` and without keys that start with \`$schema.\` |

One event as it stands in the log:

\`\`\`json
${JSON.stringify(golden('PointsHeld'), null, 2)}
\`\`\`

## account

${eventSections(ACCOUNT_EVENT_DATA)}
## aiModel

${eventSections(MODEL_EVENT_DATA)}
## priceList

${eventSections(PRICE_LIST_EVENT_DATA)}
## pricingConfig

${eventSections(CONFIG_EVENT_DATA)}
## auditAnchor

Signed by somebody whose key the ledger does not have. An anchor says something about the ledger
and is no part of what it says it about, so whoever folds the ledger leaves this stream out. It is hash-chained as all
others are.

${eventSections(ANCHOR_EVENT_DATA)}`;
}

function eventSections<Type extends StoredEventType>(
  schemas: Readonly<Record<Type, z.ZodType>>,
): string {
  const types = Object.keys(schemas).filter((type): type is Type => type in schemas);
  return types.map((type) => eventSection(type, schemas[type])).join('');
}

function eventSection(type: StoredEventType, schema: z.ZodType): string {
  return `### ${type}

${fieldTables(z.toJSONSchema(schema, { io: 'output' }))}
\`\`\`json
${JSON.stringify(z.object({ data: z.unknown() }).parse(golden(type)).data, null, 2)}
\`\`\`

`;
}

type Shape = z.core.JSONSchema.JSONSchema;

/** One table, or one for each kind of data that the event can carry. */
function fieldTables(shape: Shape): string {
  const kinds = shape.oneOf ?? shape.anyOf;
  if (kinds === undefined) return fieldTable(shape);
  return kinds
    .map((kind) => {
      const name = typeof kind === 'boolean' ? undefined : kind.properties?.['kind'];
      if (typeof kind === 'boolean' || typeof name !== 'object')
        throw new Error('one of several shapes has no kind');
      return `With \`kind\` ${typeName(name)}:\n\n${fieldTable(kind)}`;
    })
    .join('\n');
}

function fieldTable(shape: Shape): string {
  return `| Field | Type | Meaning |
|---|---|---|
${fieldRows(shape, '').join('\n')}
`;
}

/** One row per field; the fields of an object, or of a list's objects, follow their own row. */
function fieldRows(object: Shape, prefix: string): string[] {
  return Object.entries(object.properties ?? {}).flatMap(([name, shape]) => {
    if (typeof shape === 'boolean') throw new Error(`${prefix}${name} has no shape`);
    const path = `${prefix}${name}`;
    const optional = object.required?.includes(name) === true ? '' : ' (optional)';
    const row = `| \`${path}\`${optional} | ${typeName(shape)} | ${cell(shape.description ?? '')} |`;
    const items = itemsOf(shape);
    return [
      row,
      ...(items === undefined ? fieldRows(shape, `${path}.`) : fieldRows(items, `${path}[].`)),
    ];
  });
}

/** A JSON schema in words. */
function typeName(shape: Shape): string {
  if (shape.title !== undefined) return shape.title;
  if (shape.const !== undefined) return `\`${String(shape.const)}\``;
  if (shape.enum !== undefined) return shape.enum.map((value) => `\`${String(value)}\``).join(' ');
  const choices = shape.anyOf ?? shape.oneOf;
  if (choices !== undefined)
    return [
      ...new Set(
        choices.map((choice) => (typeof choice === 'boolean' ? 'JSON' : typeName(choice))),
      ),
    ].join(' or ');
  const items = itemsOf(shape);
  if (items !== undefined) return `list of ${typeName(items)}s`;
  if (shape.type !== 'object') return typeof shape.type === 'string' ? shape.type : 'JSON';
  if (shape.properties !== undefined) return 'object';
  return typeof shape.additionalProperties === 'object'
    ? `map of ${typeName(shape.additionalProperties)}s`
    : 'JSON object';
}

function itemsOf(shape: Shape): Shape | undefined {
  return typeof shape.items === 'object' && !Array.isArray(shape.items) ? shape.items : undefined;
}

function golden(type: StoredEventType): unknown {
  return JSON.parse(
    readFileSync(new URL(`packages/contracts/fixtures/${schemaName(type)}.json`, ROOT), 'utf8'),
  );
}

function links(types: readonly string[]): string {
  return types.map((type) => `[${type}](#${type.toLowerCase()})`).join(' · ');
}

function errorsPage(): string {
  return `# Errors

<!-- Written by \`npm run docs\` from packages/contracts/src/errors.ts. Do not edit. -->

- On NATS an error is \`{"ok": false, "command_id", "error": {"code", "number", "status", "message", "retryable",
  "retry_after_ms", "applied", "details"}}\`, with the headers \`Nats-Service-Error-Code\` (the status) and
  \`Nats-Service-Error\` (the English text). \`command_id\` is absent for queries and when the request could not be read
  that far; \`retry_after_ms\` and \`details\` when there is nothing to say.
- Over HTTP it is the status and \`{"code", "message", "msg", "detail", "data"}\`: \`code\` is the number, the three texts
  are the same, \`data\` holds the code's name as \`error\` and the details.
- **Retry** \`yes\`: the identical request, with the same \`command_id\`, may succeed a moment later. \`no\`: something else
  has to change first.
- **Applied** \`no\`: nothing was written. \`unknown\`: it may have been; send the identical request, with the same
  \`command_id\`, until it is answered. It is never carried out twice.

## Of the ledger and of payments

${errorTable(LEDGER_ERRORS)}
## Of HTTP alone

Their number is the status.

${errorTable(HTTP_ERRORS)}`;
}

function errorTable(errors: Readonly<Record<string, ErrorDefinition>>): string {
  const rows = Object.entries(errors).map(
    ([code, { number, status, retryable, applied, zh, en, details }]) => {
      const names = details.map((name) => `\`${name}\``).join(' ');
      return `| ${number} | \`${code}\` | ${status} | ${retryable ? 'yes' : 'no'} | ${applied} | ${cell(en)} | ${cell(zh)} | ${names} |`;
    },
  );
  return `| Number | Code | Status | Retry | Applied | English | Chinese | Details |
|---|---|---|---|---|---|---|---|
${rows.join('\n')}
`;
}

/** A table's cell ends at a bar. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
