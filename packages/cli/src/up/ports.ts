/** TCP ports of loopback that nobody else serves. */
import net from 'node:net';
import { CliError, exitCodes } from '../errors';
import { PORTS_TRIED } from './limits';
import type { Port } from './options';

export class Ports {
  private readonly given = new Set<number>();

  /** That one; or when it is taken and nobody asked for it by name, the next that is free. @param what `the dashboard` @throws CliError */
  async choose(what: string, option: string, { port, isAsked }: Port): Promise<number> {
    const last = isAsked ? port : Math.min(65_535, port + PORTS_TRIED);
    for (let at = port; at <= last; at++) {
      if (this.given.has(at) || !(await isFree(at))) continue;
      this.given.add(at);
      return at;
    }
    throw new CliError(
      exitCodes.precondition,
      `port ${port} of 127.0.0.1, for ${what}, is taken by another program${isAsked ? '' : `, and so are the ${PORTS_TRIED} after it`}: choose another with ${option} PORT (ss -ltnp tells which program it is)`,
    );
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' || error.code === 'EACCES' ? resolve(false) : reject(error),
    );
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
