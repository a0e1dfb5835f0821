/** Colours, on terminals that want them: https://no-color.org */

export type Tone = 'good' | 'warn' | 'bad' | 'dim' | 'bold';
export type Style = (tone: Tone | undefined, text: string) => string;

const SGR: Readonly<Record<Tone, string>> = { good: '32', warn: '33', bad: '31', dim: '2', bold: '1' };

export const plain: Style = (_, text) => text;
const coloured: Style = (tone, text) => (tone === undefined ? text : `\x1b[${SGR[tone]}m${text}\x1b[0m`);

export const styleFor = (isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): Style =>
  isTerminal && !env.NO_COLOR && env.TERM !== 'dumb' ? coloured : plain;

/** Control characters of a guest, a label or an error must not reach the terminal. */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '\ufffd').replace(/[\t\n]/g, ' ');

/** Cut to `columns` characters, with … in the place of what is missing. */
export const cut = (text: string, columns: number): string => {
  const characters = [...text];
  return characters.length <= columns ? text : `${characters.slice(0, Math.max(0, columns - 1)).join('')}…`;
};
