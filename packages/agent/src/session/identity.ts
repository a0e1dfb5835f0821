/**
 * Who this host is to the cluster: its key and certificate in `<stateDir>/tls` (cert.pem, key.pem, ca.pem), got
 * with a one-time token, and renewed over a session before they end. The key stays, so that files read one after
 * the other always fit together.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Certificates, identityUri } from '@godwit/wire';
import type { Logger } from 'pino';
import type { AgentConfig } from '../config';
import { AgentError, lineOf } from '../errors';
import { JOIN_MS, RENEW_LOOK_MS } from '../limits';
import type { Peer } from '../rpc';
import type { HostState } from '../state/host-state';

export class Identity {
  private readonly folder: string;
  private held: Certificates | undefined;
  private peer: Peer | undefined;
  private timer: NodeJS.Timeout;

  constructor(
    private readonly config: AgentConfig,
    private readonly state: HostState,
    private readonly log: Logger,
  ) {
    this.folder = path.join(config.stateDir, 'tls');
    if (!this.joined && !config.join) throw new AgentError(`this host has not joined a cluster: make a token (godwit host add ${config.name}) and name it as join.token in the configuration`);
    this.timer = setInterval(() => void this.renew(), RENEW_LOOK_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** For VMMs. */
  get files(): { readonly cert: string; readonly key: string; readonly ca: string } {
    const file = (name: string): string => path.join(this.folder, name);
    return { cert: file('cert.pem'), key: file('key.pem'), ca: file('ca.pem') };
  }

  /** Joins if this host has not yet. @throws Error, one line */
  async certificates(_signal: AbortSignal): Promise<Certificates> {
    this.held ??= Certificates.fromFolder(this.folder);
    return this.held;
  }

  /** Renewal goes over the session. */
  connected(peer: Peer | undefined): void {
    this.peer = peer;
    if (peer) void this.renew();
  }

  private get joined(): boolean {
    return existsSync(this.files.cert);
  }

  private async renew(): Promise<void> {
    if (!this.held || !this.peer || Date.now() < this.held.renewAtMs) return;
  }
}
