/**
 * An operation, followed until it has ended. Its end is told on standard error and is the exit code; the operation
 * itself goes to standard output with -o json, yaml or name.
 */
import type { Operation } from '@godwit/wire';
import { exitCodes } from '../../errors';
import type { Invocation } from '../core/command';
import { codeOfWord } from '../core/failure';
import type { Io } from '../output/io';
import { Redraw } from '../output/redraw';
import { cut, printable } from '../output/style';
import type { Session } from '../session/session';
import { attendWhatGoesOn } from './attention';

export const isRunning = ({ state }: Pick<Operation, 'state'>): boolean => state === 'OPERATION_STATE_RUNNING';
const idOf = ({ operationId }: Operation): string => operationId;

/** Waits, unless --detach. @returns the exit code */
export async function conclude({ flags, io, output, session }: Invocation, begun: Operation): Promise<number> {
  if (flags.has('detach') && isRunning(begun)) {
    if (output.forPeople) io.out(`${begun.operationId}\n`);
    else output.result(begun, idOf);
    return exitCodes.ok;
  }
  const { operation, code } = await follow(io, session(), begun, flags.duration('timeout'));
  output.result(operation, (one) => one.vmName || one.hostName || one.operationId);
  return code;
}

/** @param timeoutMs from now on; undefined: until it has ended */
export async function follow(
  io: Io,
  session: Session,
  begun: Operation,
  timeoutMs: number | undefined,
): Promise<{ operation: Operation; code: number }> {
  let last = begun;
  const progress = new Progress(io);
  const seen = await attendWhatGoesOn(io, timeoutMs, async (signal) => {
    progress.show(last);
    if (!isRunning(last)) return;
    const changes = session.follow(
      (client, options) => client('Operations').watchOperation({ operationId: begun.operationId }, options),
      () => !isRunning(last),
      signal,
    );
    for await (const operation of changes) {
      last = operation;
      progress.show(last);
    }
  });
  progress.end();
  if ('why' in seen && isRunning(last)) {
    io.say(
      `${aboutOf(last)}: ${seen.line === '' ? '' : `${seen.line}; `}it goes on: godwit operation watch ${last.operationId}; to cancel it: godwit operation cancel ${last.operationId}`,
    );
    return { operation: last, code: exitCodes.unknown };
  }
  tell(io, last);
  return { operation: last, code: codeOf(last) };
}

export const aboutOf = ({ kind, vmName, hostName }: Operation): string => `${kind}${vmName || hostName ? ` ${vmName || hostName}` : ''}`;

/** How it ended; of a batch, a line for each that did not succeed. */
export function tell(io: Io, operation: Operation): void {
  const { state, line, items } = operation;
  for (const item of items)
    if (item.state !== 'OPERATION_STATE_SUCCEEDED') io.say(`${item.vmName}: ${ENDS[item.state] ?? ''}${printable(item.line)}`);
  const name = operation.vmName || operation.hostName;
  const text = printable(line) || 'done';
  const about = name === '' || text.includes(name) ? text : `${name}: ${text}`;
  io.say(state === 'OPERATION_STATE_SUCCEEDED' ? about : `${aboutOf(operation)} ${ENDS[state] ?? 'ended: '}${text}`);
}

const ENDS: Readonly<Record<string, string>> = {
  OPERATION_STATE_FAILED: 'failed: ',
  OPERATION_STATE_CANCELLED: 'was cancelled: ',
  OPERATION_STATE_PARTIAL: 'was done in part: ',
  OPERATION_STATE_UNKNOWN: 'ended, and what became of it is not known: ',
  OPERATION_STATE_UNSPECIFIED: 'was not begun: ',
};

export function codeOf({ state, errorCode }: Pick<Operation, 'state' | 'errorCode'>): number {
  if (state === 'OPERATION_STATE_SUCCEEDED') return exitCodes.ok;
  if (state === 'OPERATION_STATE_UNKNOWN') return exitCodes.unknown;
  return state === 'OPERATION_STATE_FAILED' ? codeOfWord(errorCode) : exitCodes.failed;
}

/** A terminal shows what is going on in one line that changes, and a batch's parts below; elsewhere each new line is written once. */
class Progress {
  private readonly redraw: Redraw;
  private said = '';

  constructor(private readonly io: Io) {
    this.redraw = new Redraw(
      (text) => io.err(text),
      () => io.rows(),
    );
  }

  show(operation: Operation): void {
    const { io } = this;
    const done = operation.items.filter(({ state }) => state === 'OPERATION_STATE_SUCCEEDED').length;
    const counted = `${done} of ${operation.items.length}`;
    const share = operation.items.length > 0 && !operation.line.includes(counted) ? ` ${counted}` : '';
    const line = `${aboutOf(operation)}${share}${operation.line ? `: ${printable(operation.line)}` : ''}`;
    if (io.errIsTerminal) {
      const parts = operation.items
        .filter(isRunning)
        .map((item) => `  ${item.vmName}${item.toHostName ? ` → ${item.toHostName}` : ''}  ${printable(item.line)}`);
      if (isRunning(operation)) this.redraw.show(() => [`${line} …`, ...parts].map((one) => cut(one, io.columns())));
    } else if (isRunning(operation) && line !== this.said && operation.line) io.say(line);
    this.said = line;
  }

  end(): void {
    if (this.io.errIsTerminal) this.redraw.end([]);
  }
}
