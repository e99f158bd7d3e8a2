import { charged, consume, openBook, recharge } from '@points/domain/testing/book';
import { expect, it } from 'vitest';
import { statement } from './statement.ts';
import { statementHtml } from './statement-html.ts';
import type { ReportLanguage } from './statement-words.ts';
import { sealed } from './testing/sealed.ts';

async function page(description: string, lang: ReportLanguage): Promise<string> {
  const book = openBook();
  recharge(book, 10, { sourceRef: `<b>"ref"&'` });
  consume(book, 3, { terms: charged(3, { description }), request: { sourceType: '<i>tts' } });
  const parts = statement('ada', sealed('ada', book.events), {
    from: null,
    to: null,
    position: 23n,
  });
  let html = '';
  for await (const piece of statementHtml(parts, lang)) html += piece;
  return html;
}

it('escapes whatever people wrote', async () => {
  const html = await page('<script>alert(1)</script><img src=x onerror="alert(2)">', 'en');
  expect(html).not.toMatch(/<script|<img|<b>|<i>/);
  expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=&quot;');
  expect(html).toContain('&lt;b&gt;&quot;ref&quot;&amp;&#39;');
});

it('is whole, the same each time, and needs nothing from elsewhere', async () => {
  const html = await page('a picture', 'en');
  expect(await page('a picture', 'en')).toHaveLength(html.length);
  expect(html).toMatch(/^<!doctype html>\n<html lang="en">/);
  expect(html.endsWith('</html>\n')).toBe(true);
  expect(html).not.toMatch(/https?:|<script|<link|url\(|@import/);
  for (const tag of ['table', 'tbody', 'tr', 'td', 'ul', 'li', 'span'])
    expect(html.split(`<${tag}`).length, tag).toBeGreaterThanOrEqual(
      html.split(`</${tag}>`).length,
    );
  expect(html).toContain('Opening + lines = closing: checked, it holds');
});

it('is in Chinese by the names that users see', async () => {
  const html = await page('一张图', 'zh');
  expect(html).toContain('<html lang="zh-CN">');
  for (const text of ['充值', '消费', '期初', '期末', '−3']) expect(html).toContain(text);
});
