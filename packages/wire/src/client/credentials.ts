/**
 * Client credentials of gRPC that ask for the certificate anew at each connection, so that a
 * renewed one is used without a restart, and that know whom they expect.
 */
import { X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { TLS_OPTIONS } from '../certificates';
import { identityOf, mismatch } from '../identity';
import type { ClientSecurity } from '../security';

export function clientCredentials(security: ClientSecurity): grpc.ChannelCredentials {
  if (security.kind === 'plain') return grpc.ChannelCredentials.createInsecure();
  return new LiveCredentials(contextOf(security), checkOf(security));
}

/** The context in force at the time of asking. */
export function contextOf(security: Exclude<ClientSecurity, { kind: 'plain' }>): () => tls.SecureContext {
  if (security.kind === 'tls') return () => security.certificates.secureContext;
  const context = tls.createSecureContext({ ca: security.caPem, ...TLS_OPTIONS });
  return () => context;
}

/** That the chain is the cluster's has been checked by TLS; who it is, is checked here, and not at which address. */
export const checkOf =
  ({ expect }: Exclude<ClientSecurity, { kind: 'plain' }>) =>
  (_host: string, { raw }: { readonly raw: Buffer }): Error | undefined => {
    const why = mismatch(expect, identityOf(new X509Certificate(raw)));
    return why === undefined ? undefined : new Error(why);
  };

type Check = ReturnType<typeof checkOf>;

class LiveCredentials extends grpc.ChannelCredentials {
  constructor(
    private readonly context: () => tls.SecureContext,
    private readonly check: Check,
  ) {
    super();
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: grpc.ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(
    ...args: Parameters<grpc.ChannelCredentials['_createSecureConnector']>
  ): ReturnType<grpc.ChannelCredentials['_createSecureConnector']> {
    const connector = (): ReturnType<grpc.ChannelCredentials['_createSecureConnector']> =>
      grpc.ChannelCredentials.createFromSecureContext(this.context(), { checkServerIdentity: this.check })._createSecureConnector(...args);
    const first = connector();
    return {
      connect: (socket) => connector().connect(socket),
      waitForReady: () => first.waitForReady(),
      getCallCredentials: () => first.getCallCredentials(),
      destroy: () => first.destroy(),
    };
  }
}
