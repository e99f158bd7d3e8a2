/** The languages that messages exist in. */
export type Language = 'zh' | 'en';

/** One text in every language. */
export type Text = Readonly<Record<Language, string>>;

/**
 * The language of an answer: the one of `Accept-Language` (RFC 9110 §12.5.4) with the highest weight, the first one at
 * equal weight. Chinese when there is no header or it names neither.
 */
export function preferredLanguage(acceptLanguage: string | undefined): Language {
  let best: Language = 'zh';
  let bestWeight = 0;
  for (const range of (acceptLanguage ?? '').split(',')) {
    const [tag = '', ...parameters] = range.trim().toLowerCase().split(';');
    const language = languageOf(tag.trim());
    const weight = weightOf(parameters);
    if (language === null || weight <= bestWeight) continue;
    best = language;
    bestWeight = weight;
  }
  return best;
}

function languageOf(tag: string): Language | null {
  if (tag === 'en' || tag.startsWith('en-')) return 'en';
  if (tag === 'zh' || tag.startsWith('zh-') || tag === '*') return 'zh';
  return null;
}

function weightOf(parameters: readonly string[]): number {
  const weight = parameters
    .map((parameter) => parameter.trim())
    .find((parameter) => parameter.startsWith('q='));
  const value = weight === undefined ? 1 : Number(weight.slice(2));
  return Number.isFinite(value) ? value : 0;
}
