/**
 * One command of the table (table.ts). Parsing, help, completion and the reference page are all made from these
 * rows, so that none of them can tell something else than the others.
 */
import type { Io } from '../output/io';
import type { Output } from '../output/output';
import type { Session } from '../session/session';
import type { Flags } from './flags';

/** What stands for an argument or value: names of live things, asked of the controller while a shell completes. */
export type Completer =
  | 'vm'
  | 'host'
  | 'migration'
  | 'running-migration'
  | 'operation'
  | 'rule'
  | 'group'
  | 'user'
  | 'token'
  | 'datastore'
  | 'context'
  | 'file'
  | 'folder';

export interface ArgumentSpec {
  /** In capitals: VM. */
  readonly name: string;
  readonly complete?: Completer;
  readonly choices?: readonly string[];
  readonly optional?: boolean;
  /** One or more; the last one only. */
  readonly many?: boolean;
}

export interface OptionSpec {
  readonly summary: string;
  /** Stands for the value in help: `HOST`, `50ms`. None: a flag. */
  readonly value?: string;
  readonly short?: string;
  /** May be repeated. */
  readonly many?: boolean;
  readonly choices?: readonly string[];
  readonly complete?: Completer;
}

export type Options = Readonly<Record<string, OptionSpec>>;

export interface Command {
  /** `['vm', 'ls']` */
  readonly path: readonly string[];
  readonly summary: string;
  /** More, a paragraph each. */
  readonly about?: readonly string[];
  /** What is typed after `godwit`, and what it does. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  readonly args?: readonly ArgumentSpec[];
  readonly options?: Options;
  /** @returns the exit code @throws CliError, WireError */
  readonly run: (given: Invocation) => Promise<number>;
}

/** A command line that has been understood. */
export interface Invocation {
  readonly command: Command;
  readonly args: readonly string[];
  readonly flags: Flags;
  readonly io: Io;
  readonly output: Output;
  /** The controller of the context in force; connected when first asked. @throws CliError without a context */
  readonly session: () => Session;
}

export const nameOf = ({ path }: Pick<Command, 'path'>): string => path.join(' ');
