/**
 * Runs one external program to its end and gives back what it printed.
 * A failure is one line: which program, why, and its own last words.
 */
import { spawnSync } from 'node:child_process';
import { TOOL_ERROR_LINES, TOOL_OUTPUT_BYTES, TOOL_TIMEOUT_MS } from './limits';

export class ImageError extends Error {
  override name = 'ImageError';
}

export interface ToolResult {
  ok: boolean;
  stdout: string;
  /** Empty when `ok`. */
  problem: string;
}

export interface ToolOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Default TOOL_TIMEOUT_MS. */
  timeoutMs?: number;
}

export function tryTool(command: string, args: string[], options: ToolOptions = {}): ToolResult {
  const run = spawnSync(command, args, {
    cwd: options.cwd,
    // LC_ALL: messages and decimal points must not depend on who runs this.
    env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    timeout: options.timeoutMs ?? TOOL_TIMEOUT_MS,
    maxBuffer: TOOL_OUTPUT_BYTES,
  });
  const ok = run.error === undefined && run.status === 0;
  return { ok, stdout: run.stdout ?? '', problem: ok ? '' : describe(command, run, options) };
}

export function runTool(command: string, args: string[], options: ToolOptions = {}): string {
  const result = tryTool(command, args, options);
  if (!result.ok) throw new ImageError(result.problem);
  return result.stdout;
}

function describe(command: string, run: ReturnType<typeof spawnSync>, options: ToolOptions): string {
  const code = (run.error as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOENT') return `${command} is not installed on this machine`;
  if (code === 'ETIMEDOUT') return `${command} did not finish in ${(options.timeoutMs ?? TOOL_TIMEOUT_MS) / 1000} s`;
  if (run.error) return `${command} failed: ${run.error.message}`;
  const lines = String(run.stderr ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const errors = lines.filter((line) => line.startsWith('E:'));
  const words = (errors.length > 0 ? errors : lines).slice(-TOOL_ERROR_LINES).join(' ');
  const end = run.status === null ? `was ended by ${run.signal}` : `failed with exit code ${run.status}`;
  return `${command} ${end}${words ? `: ${words}` : ''}`;
}
