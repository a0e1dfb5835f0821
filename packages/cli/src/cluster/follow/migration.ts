/** One migration, watched until it has ended. Ctrl-C ends the view, never the migration. */
import type { MigrationView } from '@godwit/wire';
import { exitCodes } from '../../errors';
import type { Io } from '../output/io';
import { Redraw } from '../output/redraw';
import { styleFor } from '../output/style';
import type { Session } from '../session/session';
import { attendWhatGoesOn } from './attention';
import { codeOfMigration, endLines, roundLine, whereText } from './migration-lines';
import { migrationScreen } from './migration-screen';

const TICK_MS = 1_000;

/** @returns the last that was seen, and the exit code: 8 if its end was not seen */
export async function followMigration(
  io: Io,
  session: Session,
  migrationId: string,
  timeoutMs: number | undefined,
): Promise<{ last: MigrationView | undefined; code: number }> {
  let last: MigrationView | undefined;
  const hasEnded = (): boolean => last?.stage === 'ended';
  const view = io.errIsTerminal ? new Screen(io) : new Lines(io);
  const seen = await attendWhatGoesOn(io, timeoutMs, async (signal) => {
    const states = session.follow((client, options) => client('Migrations').watchMigration({ migrationId }, options), hasEnded, signal);
    for await (const state of states) {
      last = state;
      view.show(state);
    }
  }).finally(() => view.end(last));
  if (last && (!('why' in seen) || hasEnded())) {
    for (const line of endLines(last)) io.say(line);
    return { last, code: codeOfMigration(last) };
  }
  const line = 'line' in seen && seen.line !== '' ? `${seen.line}; ` : '';
  const lost = 'why' in seen && seen.why === 'lost';
  const where = last ? `; ${lost ? `when it was last heard of, ${whereText(last)}` : whereText(last)}` : '';
  io.say(
    `${line}the migration goes on${where}. To watch it: godwit migration watch ${migrationId}; to cancel it: godwit migration cancel ${migrationId}`,
  );
  return { last, code: exitCodes.unknown };
}

/** Drawn in place; a clock goes on between the controller's words. */
class Screen {
  private readonly redraw: Redraw;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly io: Io) {
    this.redraw = new Redraw(
      (text) => io.err(text),
      () => io.rows(),
    );
  }

  show(view: MigrationView): void {
    const style = styleFor(true, this.io.env);
    const hint = 'Ctrl-C leaves this view; the migration goes on';
    const draw = (): void =>
      this.redraw.show(() => [
        // A line for the hint, and one for the cursor.
        ...migrationScreen(view, Date.now(), style, this.io.rows() - 2),
        style('dim', hint),
      ]);
    clearInterval(this.timer);
    this.timer = setInterval(draw, TICK_MS);
    draw();
  }

  end(last: MigrationView | undefined): void {
    clearInterval(this.timer);
    if (last) this.redraw.end(roundsOf(last, this.io));
  }
}

/** What stays on the screen: the rounds, without what was true only then. */
function roundsOf(view: MigrationView, io: Io): string[] {
  const lines = migrationScreen(
    { ...view, stage: 'sending', record: view.record && { ...view.record, phase: '', line: '' } },
    view.endedAtMs || Date.now(),
    styleFor(true, io.env),
  );
  return view.record ? lines.slice(1) : [];
}

/** A line for each round, once. */
class Lines {
  private round = -1;
  private stage = '';

  constructor(private readonly io: Io) {}

  show({ vmName, sourceHostName, targetHostName, stage, record, migrationId }: MigrationView): void {
    if (this.stage === '' && stage !== 'ended')
      this.io.say(`moving ${vmName} from ${sourceHostName} to ${targetHostName || 'a host to be chosen'} (migration ${migrationId})`);
    this.stage = stage;
    for (const round of record?.rounds ?? []) {
      if (round.round <= this.round) continue;
      this.round = round.round;
      this.io.say(roundLine(round));
    }
  }

  end(_last: MigrationView | undefined): void {}
}
