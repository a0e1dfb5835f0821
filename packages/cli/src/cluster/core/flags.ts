/** The options of one command line, read by what they mean. All readers throw a CliError of usage for what they cannot read. */
import { usageError } from '../../errors';
import { parseDuration, parseRate } from '../../quantities';

const SIZES: Readonly<Record<string, number>> = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

export class Flags {
  constructor(private readonly values: ReadonlyMap<string, readonly string[]>) {}

  has(name: string): boolean {
    return this.values.has(name);
  }
  /** The last one given. */
  text(name: string): string | undefined {
    return this.values.get(name)?.at(-1);
  }
  /** All of them, each of which may be a list with commas. */
  list(name: string): string[] {
    return (this.values.get(name) ?? []).flatMap((text) => text.split(',')).filter((text) => text !== '');
  }
  /** All of them, as they are. */
  texts(name: string): readonly string[] {
    return this.values.get(name) ?? [];
  }
  /** Milliseconds. */
  duration(name: string): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : parseDuration(`--${name}`, text);
  }
  /** Bytes a second; 0: no limit. */
  rate(name: string): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : parseRate(`--${name}`, text);
  }
  /** Bytes. */
  size(name: string): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : parseSize(`--${name}`, text);
  }
  whole(name: string, least: number, most: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const number = Number(text);
    if (!/^-?\d+$/.test(text) || number < least || number > most)
      throw usageError(`--${name} is a whole number from ${least} to ${most}, not '${text}'`);
    return number;
  }
  /** `key=value`, or `key-` to take it away. */
  labels(name: string): { readonly set: Readonly<Record<string, string>>; readonly gone: readonly string[] } {
    const set: Record<string, string> = {};
    const gone: string[] = [];
    for (const text of this.texts(name)) {
      const [, key, value] = /^([^=\s]+)=(.*)$/s.exec(text) ?? [];
      if (key !== undefined) set[key] = value;
      else if (/^[^=\s]+-$/.test(text)) gone.push(text.slice(0, -1));
      else throw usageError(`--${name} is KEY=VALUE, or KEY- to take it away, not '${text}'`);
    }
    return { set, gone };
  }
}

/** `512M`, `10G`, `1.5GiB` → bytes; units are powers of 1024. */
export function parseSize(option: string, text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([kmgt])(?:i?b)?$/i.exec(text) ?? [];
  const bytes = number === undefined ? Number.NaN : Number(number) * SIZES[unit.toLowerCase()];
  if (!Number.isSafeInteger(bytes)) throw usageError(`${option} is a size like 512M or 10G, not '${text}'`);
  return bytes;
}
