/** `godwit __complete`: asked by a shell at a press of the tab key. */
import { chooseContext, listContexts } from '../context/choose';
import type { Command } from '../core/command';
import { COMPLETION_MS } from '../core/limits';
import type { Io } from '../output/io';
import { printable } from '../output/style';
import { type Candidate, candidatesFor } from './candidates';
import { FILES, joinedAtEquals, type Wanted, wantedAt } from './words';

/** @param argv the shell, then the words behind `godwit`, the last one being typed */
export async function complete(
  table: readonly Command[],
  others: readonly Candidate[],
  [shell, ...given]: readonly string[],
  io: Io,
): Promise<void> {
  const { words, alone } = shell === 'bash' ? joinedAtEquals(given) : { words: [...given], alone: false };
  const wanted = wantedAt(table, others, words);
  if (wanted.live === 'file' || wanted.live === 'folder') {
    io.out(`${FILES}\n`);
    return;
  }
  const before = alone ? '' : wanted.before;
  for (const { text, note } of [...wanted.fixed, ...(await live(wanted, io))])
    if (text.startsWith(wanted.prefix) && !wanted.used.includes(text))
      io.out(`${before}${printable(text)}${note ? `\t${printable(note)}` : ''}\n`);
}

async function live({ live: what, context }: Wanted, io: Io): Promise<readonly Candidate[]> {
  if (what === undefined) return [];
  try {
    if (what === 'context')
      return listContexts(io.env, io.folder).map(({ name, context: { controllers } }) => ({ text: name, note: controllers.join(',') }));
    const chosen = chooseContext(io.env, io.folder, context);
    const { Session } = await import('../session/session.js');
    const session = new Session(chosen, COMPLETION_MS);
    try {
      return await candidatesFor(what, () => session);
    } finally {
      session.close();
    }
  } catch {
    // No context, nobody there, or denied: then there is nothing to offer.
    return [];
  }
}
