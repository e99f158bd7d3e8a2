import type { StatementClosing, StatementOpening, StatementPart } from './statement.ts';
import type { StatementLine } from './statement-line.ts';
import {
  type ReportLanguage,
  clock,
  kindName,
  lineSentences,
  movementNames,
  word,
} from './statement-words.ts';

/**
 * A statement as one page for people, in pieces: no scripts, nothing from elsewhere, fit for printing. Each line says
 * what it is and why. All text of people is escaped.
 */
export async function* statementHtml(
  parts: AsyncIterable<StatementPart>,
  lang: ReportLanguage,
): AsyncGenerator<string, void> {
  for await (const part of parts) {
    if (part.part === 'opening') yield top(part, lang);
    else if (part.part === 'line') yield row(part, lang);
    else yield bottom(part, lang);
  }
}

const STYLE = `
:root{--line:#d8dce2;--soft:#5d6673;--in:#0a6b3d;--out:#a4262c}
*{box-sizing:border-box}
body{margin:2rem auto;max-width:76rem;padding:0 1.5rem;color:#1b1f24;background:#fff;font:14px/1.5 system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif}
h1{font-size:1.5rem;margin:0 0 .25rem}
p{margin:.15rem 0;color:var(--soft)}
table{width:100%;border-collapse:collapse;margin:1.25rem 0}
th,td{padding:.45rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
thead th{border-bottom:2px solid #1b1f24;font-weight:600;white-space:nowrap}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.t{white-space:nowrap;font-variant-numeric:tabular-nums}
.in{color:var(--in)}.out{color:var(--out)}
.what{font-weight:600;white-space:nowrap}
.ids{min-width:13rem}
.id{display:block;color:var(--soft);font-size:12px;overflow-wrap:anywhere}
ul{margin:.2rem 0 0;padding-left:1.1rem;color:var(--soft);font-size:13px;overflow-wrap:anywhere}
.edge td{background:#f4f6f8;font-weight:600}
.sums{width:auto;min-width:22rem}
.verdict{display:inline-block;margin-top:.5rem;padding:.35rem .8rem;border:1px solid currentColor;border-radius:.3rem;font-weight:600}
.holds{color:var(--in)}.fails{color:var(--out)}
@page{size:A4 landscape;margin:12mm}
@media print{body{margin:0;padding:0;max-width:none;font-size:11px}thead{display:table-header-group}tr{break-inside:avoid}}
`;

function top(opening: StatementOpening, lang: ReportLanguage): string {
  const say = (zh: string, en: string) => word([zh, en], lang);
  const { account_id, from, to, position } = opening;
  const title = say(`账户 ${account_id} 积分对账单`, `Points statement of account ${account_id}`);
  const begin = from === null ? say('第一笔', 'the first event') : clock(from);
  const end = to === null ? say('最后一笔', 'the last event') : clock(to);
  const heads: [string, string][] = [
    [say('时间', 'Time'), ''],
    [say('类型', 'What'), ''],
    [say('说明', 'Why'), ''],
    [say('变动', 'Change'), 'n'],
    [say('变动前余额', 'Before'), 'n'],
    [say('余额', 'Balance'), 'n'],
    [say('预扣', 'Held'), 'n'],
    [say('可用', 'Available'), 'n'],
  ];
  return `<!doctype html>
<html lang="${say('zh-CN', 'en')}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escape(title)}</h1>
<p>${escape(say(`${begin} 至 ${end}（北京时间）`, `${begin} to ${end}, by the clock in Shanghai`))}</p>
<p>${escape(say(`日志读至位置 ${position ?? '无'}；每一笔均已按哈希链与账户规则核对`, `The log was read up to position ${position ?? 'none'}; every event was checked by hash chain and by the account's rules`))}</p>
<table>
<thead><tr>${heads.map(([name, kind]) => `<th scope="col"${kind === '' ? '' : ` class="${kind}"`}>${escape(name)}</th>`).join('')}</tr></thead>
<tbody>
${edge(say('期初', 'Opening'), opening, lang)}`;
}

function edge(
  name: string,
  { balance, held, debt }: StatementOpening | StatementClosing,
  lang: ReportLanguage,
): string {
  const owed = debt > 0 ? word([`其中欠费 ${number(debt)}`, `debt ${number(debt)}`], lang) : '';
  return `<tr class="edge"><td></td><td class="what">${escape(name)}</td><td>${escape(owed)}</td><td></td><td></td><td class="n">${number(balance)}</td><td class="n">${number(held)}</td><td></td></tr>
`;
}

function row(line: StatementLine, lang: ReportLanguage): string {
  const { delta, held_before, held_after } = line;
  const ids = [line.task_no, line.record_id === null ? null : String(line.record_id), line.hold_id]
    .filter((id) => id !== null)
    .map((id) => `<span class="id">${escape(id)}</span>`)
    .join('');
  const label = line.model ?? line.source_type;
  const about = [line.description, label ?? ''].filter((text) => text !== '').join(' · ');
  const why = lineSentences(line, lang)
    .map((sentence) => `<li>${escape(sentence)}</li>`)
    .join('');
  const heldChange =
    held_after === held_before ? '' : `<span class="id">${signed(held_after - held_before)}</span>`;
  const debt =
    line.debt_after === 0
      ? ''
      : `<span class="id">${escape(word([`欠费 ${number(line.debt_after)}`, `debt ${number(line.debt_after)}`], lang))}</span>`;
  return `<tr><td class="t">${clock(line.time)}<span class="id">#${line.position}</span></td><td class="ids"><span class="what">${escape(kindName(line.kind, lang))}</span>${ids}</td><td>${escape(about)}<ul>${why}</ul></td><td class="n ${delta < 0 ? 'out' : 'in'}">${delta === 0 ? '' : signed(delta)}</td><td class="n">${number(line.balance_before)}</td><td class="n">${number(line.balance_after)}${debt}</td><td class="n">${number(held_after)}${heldChange}</td><td class="n">${number(line.available_after)}</td></tr>
`;
}

function bottom(closing: StatementClosing, lang: ReportLanguage): string {
  const say = (zh: string, en: string) => word([zh, en], lang);
  const verdict = closing.adds_up
    ? say('期初 + 各行合计 = 期末，已核对', 'Opening + lines = closing: checked, it holds')
    : say('期初 + 各行合计 ≠ 期末', 'Opening + lines = closing DOES NOT HOLD');
  const sums = movementNames(closing.sums, lang)
    .map(
      ([name, points]) => `<tr><td>${escape(name)}</td><td class="n">${number(points)}</td></tr>`,
    )
    .join('\n');
  return `${edge(say('期末', 'Closing'), closing, lang)}</tbody>
</table>
<h2>${escape(say('合计', 'Sums'))}</h2>
<table class="sums"><tbody>
${sums}
<tr class="edge"><td>${escape(say(`${closing.lines} 行，变动合计`, `${closing.lines} lines, change in all`))}</td><td class="n">${closing.delta === 0 ? '0' : signed(closing.delta)}</td></tr>
</tbody></table>
<p class="verdict ${closing.adds_up ? 'holds' : 'fails'}">${escape(verdict)}</p>
</body>
</html>
`;
}

function number(points: number): string {
  return points.toLocaleString('en').replace('-', '−');
}

function signed(points: number): string {
  return points > 0 ? `+${number(points)}` : number(points);
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (char) => ENTITIES[char] ?? char);
}
