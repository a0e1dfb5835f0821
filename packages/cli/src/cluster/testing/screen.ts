/** What a terminal shows after it was sent some text: as much of a terminal as the views use. For tests. */

// biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal understands begins with one
const SEQUENCE = /\x1b\[(\??[\d;]*)([A-Za-z])/y;

/** The lines of the screen and of what has scrolled away, without colours. @param columns longer lines are wrapped, unless wrapping is off */
export function screenOf(text: string, columns = 80): string[] {
  const lines: string[][] = [[]];
  let [row, column] = [0, 0];
  let wraps = true;
  const down = (): void => {
    row++;
    lines[row] ??= [];
  };
  const put = (character: string): void => {
    if (column >= columns) {
      if (wraps) {
        down();
        column = 0;
      } else column = columns - 1;
    }
    while (lines[row].length < column) lines[row].push(' ');
    lines[row][column++] = character;
  };
  for (let at = 0; at < text.length; ) {
    SEQUENCE.lastIndex = at;
    const found = SEQUENCE.exec(text);
    if (found) {
      const [whole, parameter, command] = found;
      if (command === 'A') row = Math.max(0, row - Number(parameter || 1));
      else if (command === 'J') {
        lines.length = row + 1;
        lines[row].length = column;
      } else if (parameter === '?7') wraps = command === 'h';
      else if (command !== 'm') throw new Error(`the screen of tests does not know ${JSON.stringify(whole)}`);
      at += whole.length;
      continue;
    }
    const character = String.fromCodePoint(text.codePointAt(at)!);
    at += character.length;
    if (character === '\n') {
      down();
      column = 0;
    } else if (character === '\r') column = 0;
    else put(character);
  }
  return lines.map((line) => line.join('').trimEnd());
}
