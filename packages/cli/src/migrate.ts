import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { connect, type MigrationRecord, PLAIN, WireError } from '@godwit/wire';
import type { Ticket } from './controlled';
import { CliError, exitCodes, usageError } from './errors';
import { parseDuration, parseRate } from './quantities';

const POLICIES = ['throttle', 'extend', 'force', 'abort'];

/**
 * `godwit migrate --control SOCKET --ticket FILE`: moves a VM from its process to one
 * that waits (`run --incoming`), without a controller. Returns the exit code.
 */
export async function migrateByHand(argv: string[]): Promise<number> {
  const { control, ticket, json, 'max-pause': maxPause, bandwidth, policy } = flags(argv);
  if (control === undefined || ticket === undefined) throw usageError('godwit migrate needs --control SOCKET and --ticket FILE');
  const { address, token } = readTicket(ticket);
  const settings = {
    ...(maxPause === undefined ? {} : { pauseBudgetMs: parseDuration('--max-pause', maxPause) }),
    ...(bandwidth === undefined ? {} : { bandwidthBytesPerSecond: parseRate('--bandwidth', bandwidth) }),
    policies: policies(policy),
  };
  const wire = connect({ address: `unix:${path.resolve(control)}`, security: PLAIN });
  const vmm = wire.client('Vmm');
  let last: MigrationRecord | undefined;
  let cancelling = false;
  const cancel = (): void => {
    if (cancelling || !last) return;
    cancelling = true;
    process.stderr.write('godwit: cancelling; the VM goes on where it is\n');
    vmm.cancelMigration({ migrationId: last.migrationId, why: 'interrupted at the terminal' }).catch(() => {});
  };
  process.on('SIGINT', cancel);
  try {
    let shown = 0;
    for await (const record of vmm.migrate({ targetAddress: address, token, settings })) {
      last = record;
      for (const round of record.rounds.slice(shown)) process.stderr.write(`godwit: ${roundLine(round)}\n`);
      shown = record.rounds.length;
    }
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new CliError(error.code === 'invalid' ? exitCodes.usage : error.code === 'unavailable' ? exitCodes.unavailable : error.code === 'denied' ? exitCodes.denied : exitCodes.precondition, error.message);
  } finally {
    process.off('SIGINT', cancel);
    wire.close();
  }
  if (!last) throw new CliError(exitCodes.unknown, 'the VM said nothing about the migration: see where it runs');
  if (json) process.stdout.write(`${JSON.stringify(last)}\n`);
  return conclude(last);
}

function conclude(record: MigrationRecord): number {
  if (record.outcome === 'completed') {
    const parts = Object.entries(record.pause ?? {}).map(([part, ms]) => `${part.replace(/Ms$/, '')} ${ms.toFixed(1)}`).join(', ');
    process.stderr.write(`godwit: the VM runs on the target; it stood still for ${record.pauseMs?.toFixed(1)} ms (${parts}); ${mib(record.counts?.wireBytes ?? 0)} sent in ${(record.totalMs / 1000).toFixed(1)} s\n`);
    return exitCodes.ok;
  }
  const where = record.vmIs === 'source' ? 'the VM runs here, as before' : record.vmIs === 'target' ? 'the VM belongs to the target' : 'where the VM runs is decided by its lease: godwit datastore show';
  process.stderr.write(`godwit: ${record.outcome || 'the connection to the VM ended'}: ${record.line}; ${where}\n`);
  return record.vmIs === 'source' ? exitCodes.migrationFailed : exitCodes.unknown;
}

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const rate = (bytesPerSecond: number): string => `${(bytesPerSecond / 1e6).toFixed(0)} MB/s`;

const roundLine = ({ round, pages, wireBytes, durationMs, leftPages, dirtyBytesPerSecond, transferBytesPerSecond, predictedPauseMs, throttlePercent }: MigrationRecord['rounds'][number]): string =>
  `round ${round}: ${pages} pages, ${mib(wireBytes)} in ${(durationMs / 1000).toFixed(2)} s; ${leftPages} left; guest writes ${rate(dirtyBytesPerSecond)}, sent ${rate(transferBytesPerSecond)}; pause would be ${predictedPauseMs.toFixed(0)} ms${throttlePercent > 0 ? `; vCPU slowed by ${throttlePercent} %` : ''}`;

function flags(argv: string[]) {
  try {
    const options = { control: { type: 'string' }, ticket: { type: 'string' }, 'max-pause': { type: 'string' }, bandwidth: { type: 'string' }, policy: { type: 'string' }, json: { type: 'boolean' } } as const;
    return parseArgs({ args: argv, options, strict: true }).values;
  } catch (error) {
    throw usageError((error as Error).message.split('\n')[0]);
  }
}

function policies(text: string | undefined): string[] {
  const list = text === undefined ? [] : text.split(',');
  for (const one of list) if (!POLICIES.includes(one)) throw usageError(`--policy is a list of ${POLICIES.join(', ')}, not '${one}'`);
  return list;
}

function readTicket(file: string): Ticket {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CliError(exitCodes.notFound, `cannot read the ticket ${file}: ${(error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file; `godwit run --incoming` writes it' : (error as Error).message}`);
  }
  try {
    const { address, token, vm } = JSON.parse(text) as Partial<Ticket>;
    if (typeof address === 'string' && typeof token === 'string') return { address, token, vm: String(vm) };
  } catch {}
  throw new CliError(exitCodes.precondition, `${file} is no ticket: name the file that godwit run --incoming wrote`);
}
