/**
 * The usernet process: `node usernet-main.js CONFIG`, CONFIG being a
 * UsernetConfig as JSON. Says `ready` on its output when it serves. It lives as
 * long as its input stays open, that is, no longer than its parent; SIGTERM
 * ends it, too. Its own process, since libslirp is C that parses what guests
 * send: were it to die, no VM would die with it.
 */
import { MAX_USERNET_FILES } from './limits';
import { loadNative } from './native';
import type { UsernetConfig } from './usernet-protocol';
import { serveUsernet } from './usernet-server';

async function main(): Promise<void> {
  loadNative().limitFiles(MAX_USERNET_FILES);
  const server = await serveUsernet(JSON.parse(process.argv[2] ?? '{}') as UsernetConfig);
  let ending = false;
  const end = (): void => {
    if (ending) return;
    ending = true;
    server.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', () => {}); // from the terminal, to its whole group: the parent decides
  process.on('SIGHUP', end);
  process.stdin.on('end', end);
  process.stdin.on('close', end);
  process.stdin.on('error', end);
  process.stdin.resume();
  process.stdout.on('error', () => {});
  process.stdout.write('ready\n');
}

main().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
