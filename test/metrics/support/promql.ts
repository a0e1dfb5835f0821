/**
 * Just enough of PromQL to tell which series an expression asks for: names, the labels in their selectors, and the labels
 * that it groups by. Whether it is an expression at all, Prometheus itself says.
 */
export interface UsedSeries {
  readonly metric: string;
  readonly selectors: readonly { readonly label: string; readonly operator: string; readonly value: string }[];
}

export interface Used {
  readonly series: readonly UsedSeries[];
  /** In `by`, `on` and `group_left`; and in `without`, `ignoring`. */
  readonly kept: readonly string[];
  readonly left: readonly string[];
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[A-Za-z_:][A-Za-z0-9_:]*|[0-9][0-9a-zA-Z.]*|=~|!~|!=|==|[<>]=?|\S/g;
const KEEPING = new Set(['by', 'on', 'group_left', 'group_right']);
const LEAVING = new Set(['without', 'ignoring']);
const WORDS = new Set(['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan']);
const NAME = /^[A-Za-z_:]/;

export function usedIn(expr: string): Used {
  const tokens: readonly string[] = expr.match(TOKEN) ?? [];
  const series: UsedSeries[] = [];
  const kept: string[] = [];
  const left: string[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    if (token === '[') at = tokens.indexOf(']', at);
    else if (KEEPING.has(token) || LEAVING.has(token)) {
      const end = tokens.indexOf(')', at);
      (KEEPING.has(token) ? kept : left).push(...tokens.slice(at + 2, end).filter((one) => one !== ','));
      at = end;
    } else if (NAME.test(token) && !WORDS.has(token.toLowerCase()) && tokens[at + 1] !== '(') {
      // `sum by (x) (…)`: the aggregation's name stands before a word.
      if (KEEPING.has(tokens[at + 1]) || LEAVING.has(tokens[at + 1])) continue;
      const end = tokens[at + 1] === '{' ? tokens.indexOf('}', at) : at;
      series.push({ metric: token, selectors: selectorsOf(tokens.slice(at + 2, end)) });
      at = end;
    }
  }
  return { series, kept, left };
}

function selectorsOf(tokens: readonly string[]): UsedSeries['selectors'] {
  const selectors = [];
  for (let at = 0; at + 2 < tokens.length; at += 4)
    selectors.push({ label: tokens[at], operator: tokens[at + 1], value: JSON.parse(tokens[at + 2]) as string });
  return selectors;
}
