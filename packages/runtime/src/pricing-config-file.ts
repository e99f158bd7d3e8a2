import { readFile } from 'node:fs/promises';
import { type PricingConfig, parsePricingConfig } from '@points/contracts/pricing-config';
import { LineCounter, isNode, parseDocument } from 'yaml';

/** Reads and checks the file. Throws `PricingConfigError`. */
export async function readPricingConfig(file: string): Promise<PricingConfig> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new PricingConfigError(`${file} cannot be read`, 'file', { cause });
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const wrong = document.errors[0];
  if (wrong !== undefined)
    throw new PricingConfigError(
      `${file}:${wrong.linePos?.[0].line ?? 1}: ${wrong.message}`,
      'file',
    );
  const parsed = parsePricingConfig(document.toJS());
  if (parsed.ok) return parsed.value;
  const line = lineOf(document, lines, parsed.field);
  throw new PricingConfigError(`${file}:${line}: ${parsed.field} ${parsed.message}`, parsed.field);
}

/** The pricing config cannot be used; the message names file, line and key. */
export class PricingConfigError extends Error {
  override readonly name = 'PricingConfigError';
  readonly field: string;
  constructor(message: string, field: string, options?: ErrorOptions) {
    super(message, options);
    this.field = field;
  }
}

/** The line of the key that a dotted path names, or of its nearest ancestor that is there. */
function lineOf(
  document: ReturnType<typeof parseDocument>,
  lines: LineCounter,
  field: string,
): number {
  const path = field.split('.');
  for (let length = path.length; length > 0; length -= 1) {
    const node: unknown = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range != null) return lines.linePos(node.range[0]).line;
  }
  return 1;
}
