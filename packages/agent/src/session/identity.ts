/**
 * Who this host is to the cluster: its key and certificate in `<stateDir>/tls` (cert.pem, key.pem, ca.pem), got with
 * a one-time token that names the cluster's CA, and renewed over the session before they end.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { Certificates, fetchAuthority, keepRenewed, newRequest, openJoinToken, saveMaterial } from '@godwit/wire';
import type { Logger } from 'pino';
import type { AgentConfig } from '../config';
import { AgentError, lineOf } from '../errors';
import { JOIN_MS } from '../limits';
import { Peer } from '../rpc';
import type { HostState } from '../state/host-state';

export class Identity {
  /** Holds cert.pem, key.pem, ca.pem; VMMs read it too: they move VMs under this host's name. */
  readonly folder: string;
  private held: Certificates | undefined;
  private endRenewal: () => void = () => undefined;
  private peer: Peer | undefined;

  /** @throws AgentError: not joined, and no way to */
  constructor(
    private readonly config: AgentConfig,
    private readonly state: HostState,
    private readonly log: Logger,
  ) {
    this.folder = path.join(config.stateDir, 'tls');
    if (existsSync(path.join(this.folder, 'cert.pem'))) this.use(Certificates.fromFolder(this.folder));
    else if (!config.join)
      throw new AgentError(
        `this host has not joined a cluster: make a token there (godwit host add ${config.name}) and name it as join.token in the agent's configuration`,
      );
    // Told now rather than at the first dial.
    else openJoinToken(this.token);
  }

  /** Undefined: this host has not joined yet. */
  get current(): Certificates | undefined {
    return this.held;
  }

  stop(): void {
    this.endRenewal();
  }

  /** Joins at that controller if this host has not joined yet. @throws WireError, one line */
  async certificates(controller: string, signal: AbortSignal): Promise<Certificates> {
    return this.held ?? this.use(await this.join(controller, signal));
  }

  /** Renewal goes over the session's connection. */
  connected(peer: Peer | undefined): void {
    this.peer = peer;
    // It could not be renewed while nobody was there: not after the usual wait, but now.
    if (peer && this.held && this.held.renewAtMs <= Date.now()) this.keepRenewed(this.held);
  }

  private async join(address: string, signal: AbortSignal): Promise<Certificates> {
    const { fingerprint, secret } = openJoinToken(this.token);
    const caPem = await fetchAuthority(address, fingerprint);
    const { keyPem, csrPem } = await newRequest();
    const peer = new Peer('Agents', address, { kind: 'tls-anonymous', caPem, expect: { kind: 'controller' } });
    try {
      const request = { token: secret, csrPem, hostId: this.state.hostId, hostName: this.config.name };
      const answer = await peer.call<{ hostId: string; certificatePem: string; caPem: string; controllers: readonly string[] }>(
        'Join',
        request,
        { deadlineMs: JOIN_MS, signal },
      );
      if (answer.hostId !== this.state.hostId)
        throw new AgentError(
          `the controller at ${address} knows this host as ${answer.hostId}, it is ${this.state.hostId}: remove it there and join it again`,
        );
      const material = { certPem: answer.certificatePem, keyPem, caPem: answer.caPem };
      // Whether it can be used is known before it is kept.
      const certificates = new Certificates(material);
      saveMaterial(this.folder, material);
      this.state.setControllers(answer.controllers);
      this.log.info({ controller: address, hostId: this.state.hostId }, 'this host has joined the cluster');
      return certificates;
    } finally {
      peer.close();
    }
  }

  private use(certificates: Certificates): Certificates {
    this.held = certificates;
    this.keepRenewed(certificates);
    return certificates;
  }

  private keepRenewed(certificates: Certificates): void {
    this.endRenewal();
    this.endRenewal = keepRenewed({
      certificates,
      folder: this.folder,
      renew: async (csrPem) => {
        if (!this.peer) throw new Error('no controller is connected');
        const { certificatePem, caPem } = await this.peer.call<{ certificatePem: string; caPem: string }>(
          'Renew',
          { csrPem },
          { deadlineMs: JOIN_MS },
        );
        return { certPem: certificatePem, caPem };
      },
      told: (line) => this.log.info({ line }, "this host's certificate"),
    });
  }

  private get token(): string {
    const { join } = this.config;
    if (!join) throw new AgentError('there is no join token');
    if ('token' in join) return join.token;
    try {
      if (statSync(join.tokenFile).mode & 0o077) throw new Error('it is open to others: chmod 600 it');
      return readFileSync(join.tokenFile, 'utf8').trim();
    } catch (error) {
      throw new AgentError(`join.tokenFile ${join.tokenFile}: ${lineOf(error)}`);
    }
  }
}
