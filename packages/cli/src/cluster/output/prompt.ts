/** Questions at a terminal. They stand on standard error: standard output is for data. */
import { CliError, exitCodes } from '../../errors';
import type { Io } from './io';

const [CTRL_C, CTRL_D, BACKSPACE, DELETE] = ['\x03', '\x04', '\x08', '\x7f'];
const MAX_LINE = 1024;

const isAsked = (io: Io): boolean => io.stdin.isTTY === true && io.errIsTerminal;

/** Without a terminal nobody can be asked: then it is meant. */
export async function confirm(io: Io, question: string): Promise<boolean> {
  if (!isAsked(io)) return true;
  return /^y(es)?$/i.test((await readLine(io, `${question} [y/N] `, true)).trim());
}

/** A line that is not shown; without a terminal the first line of standard input. @throws CliError when there is none */
export async function askSecret(io: Io, question: string): Promise<string> {
  const secret = isAsked(io) ? await readLine(io, question, false) : await firstLine(io);
  if (secret === '') throw new CliError(exitCodes.usage, 'no password was given');
  return secret;
}

export const askName = (io: Io, question: string): Promise<string> => (isAsked(io) ? readLine(io, question, true) : Promise.resolve(''));

async function firstLine(io: Io): Promise<string> {
  let text = '';
  for await (const chunk of io.stdin) {
    text += Buffer.from(chunk as Uint8Array).toString('utf8');
    if (text.includes('\n') || text.length > MAX_LINE) break;
  }
  return text.split(/\r?\n/)[0];
}

/** Key by key, since a terminal left to itself would show a secret. */
function readLine(io: Io, question: string, shown: boolean): Promise<string> {
  const { stdin } = io;
  // First: who answers as soon as he is asked is not to be echoed by the terminal.
  stdin.setRawMode?.(true);
  io.err(question);
  stdin.resume();
  return new Promise((resolve, reject) => {
    let line = '';
    const end = (act: () => void): void => {
      stdin.off('data', onData);
      stdin.setRawMode?.(false);
      stdin.pause();
      io.err('\n');
      act();
    };
    const onData = (data: Buffer | string): void => {
      for (const key of data.toString()) {
        if (key === CTRL_C || (key === CTRL_D && line === ''))
          return end(() => reject(new CliError(exitCodes.failed, 'interrupted: nothing was done')));
        if (key === '\r' || key === '\n') return end(() => resolve(line));
        if (key === BACKSPACE || key === DELETE) {
          if (line !== '' && shown) io.err('\b \b');
          line = [...line].slice(0, -1).join('');
        } else if (key >= ' ' && line.length < MAX_LINE) {
          line += key;
          if (shown) io.err(key);
        }
      }
    };
    stdin.on('data', onData);
  });
}
