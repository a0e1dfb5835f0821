/** Every command that speaks to a controller, and those about the command line itself. The one list: what parses, helps, completes and documents reads it. */
import { accessCommands } from './commands/access';
import { clusterCommands } from './commands/cluster';
import { vmConsole } from './commands/console';
import { contextCommands } from './commands/context';
import { events } from './commands/events';
import { hostCommands } from './commands/host';
import { itselfCommands } from './commands/itself';
import { migrationCommands } from './commands/migrate';
import { operationCommands } from './commands/operation';
import { ruleCommands } from './commands/rules';
import { top } from './commands/top';
import { vmCommands } from './commands/vm';
import { vmMakeCommands } from './commands/vm-make';
import type { Command } from './core/command';
import type { Other } from './help/help';

export function commandTable(others: readonly Other[]): readonly Command[] {
  const table: readonly Command[] = [
    ...vmCommands.slice(0, 2),
    ...vmMakeCommands,
    ...vmCommands.slice(2, -1),
    vmConsole,
    ...vmCommands.slice(-1),
    ...migrationCommands,
    ...hostCommands,
    ...clusterCommands,
    ...ruleCommands,
    ...operationCommands,
    top,
    events,
    ...accessCommands,
    ...contextCommands,
    ...itselfCommands(() => table, others),
  ];
  return table;
}
