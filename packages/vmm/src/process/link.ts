/**
 * How two VMMs find each other for a migration. The source asks the target to call
 * (Incoming.Call), the target calls the source (Migration.Exchange), and pages then
 * stream from the server to its client: the token goes only where it came from, and
 * a source behind a strict firewall says at once that it cannot be reached.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TransportPort } from '@godwit/migration';
import { Certificates, type ClientSecurity, clientTls, connect, dialMigration, hostOf, MigrationListener, type PeerIdentity, PLAIN, serve, serverTls } from '@godwit/wire';
import type { Incoming } from './incoming';

const ASK_TIMEOUT_MS = 10_000;
/** For what was sent last to be taken by the other end. */
const CLOSE_MS = 5_000;
/** A certificate that the host's agent has renewed is taken within this time. */
const RENEWED_MS = 60_000;

export interface CallFor {
  readonly migrationId: string;
  /** As the target's `Expect` gave it: both calls carry it. */
  readonly token: string;
}

export interface MigrationLink {
  /** HOST:PORT at which other hosts reach this process. */
  readonly address: string;
  /** Source: the target's call. Rejects when none comes in time, or on `signal`. */
  awaitCall(call: CallFor, signal: AbortSignal): Promise<TransportPort>;
  /** Source: asks the target to call. @throws WireError: nobody there, wrong token, … */
  askToCall(target: string, call: CallFor & { readonly sourceAddress: string }, signal: AbortSignal): Promise<void>;
  /** Target: calls the source, which must be who asked. @throws WireError */
  call(source: string, call: CallFor, asker: PeerIdentity, signal: AbortSignal): Promise<TransportPort>;
  /** What was sent last is still delivered. */
  close(): Promise<void>;
}

export interface LinkOptions {
  readonly listen: { readonly host: string; readonly port: number };
  /** Folder with cert.pem, key.pem, ca.pem. Absent: no TLS, and the loopback address only. */
  readonly tls?: string;
  incoming(): Incoming;
  log(line: string): void;
}

/** @throws WireError when it cannot listen there, or the certificates cannot be used */
export async function openLink({ listen, tls, incoming, log }: LinkOptions): Promise<MigrationLink> {
  const certificates = tls === undefined ? undefined : Certificates.fromFolder(tls);
  if (tls !== undefined) certificates!.follow(tls, RENEWED_MS, log);
  const towards = (asker: PeerIdentity): ClientSecurity => (certificates ? clientTls(certificates, { kind: ['host', 'vmm'], hostId: hostOf(asker) }) : PLAIN);
  const listener = new MigrationListener();
  const server = await serve({
    address: listen.host.includes(':') ? `[${listen.host}]:${listen.port}` : `${listen.host}:${listen.port}`,
    security: certificates ? serverTls(certificates) : PLAIN,
    raw: [listener],
    services: {
      Incoming: {
        call: async (request, { peer }) => {
          await incoming().call(request, peer);
          return {};
        },
      },
    },
    onRefused: log,
  });
  const open = new Set<Promise<string>>();
  const watched = <T extends { readonly closed: Promise<string> }>(transport: T): T => {
    const { closed } = transport;
    open.add(closed);
    void closed.then(() => open.delete(closed));
    return transport;
  };
  return {
    address: server.address,
    awaitCall: async (call, signal) => watched(await listener.expect({ ...call, signal })),
    askToCall: async (target, call, signal) => {
      const wire = connect({ address: target, security: towards({ kind: 'anonymous' }) });
      try {
        await wire.client('Incoming').call(call, { signal, deadlineMs: ASK_TIMEOUT_MS });
      } finally {
        wire.close();
      }
    },
    call: async (source, call, asker, signal) => watched(await dialMigration({ ...call, address: source, security: towards(asker), signal })),
    close: async () => {
      await Promise.race([Promise.all(open), sleep(CLOSE_MS, undefined, { ref: false })]);
      await server.close();
      certificates?.stop();
    },
  };
}
