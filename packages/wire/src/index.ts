export type * from './generated';
export type { Bidi, ClientStream, Input, ServerStream, Unary } from './schema/kinds';
export { WireError, type WireErrorCode } from './errors';
export { Queue } from './queue';
export { serve, type Implementations, type ServeLimits, type ServeOptions, type WireServer } from './server/serve';
export type { RawService } from './server/raw';
export { type ExpectedCall, MigrationListener } from './migration/listener';
export { dialMigration, type DialOptions } from './migration/dial';
export type { MigrationTransport } from './migration/transport';
export type { Call } from './server/call';
export type { Handler, Handlers } from './server/handlers';
export type { Health } from './server/health';
export { connect, type ConnectOptions, type Wire } from './client/connect';
export type { Caller, CallOptions, ServiceClient } from './client/calls';
export { Certificates, type Material } from './certificates';
export {
  type CertifiedIdentity,
  describeIdentity,
  hostOf,
  identityUri,
  type OperatorRole,
  parseIdentity,
  type PeerIdentity,
  type PeerRule,
} from './identity';
export { type ClientSecurity, clientTls, PLAIN, type ServerSecurity, serverTls } from './security';
export { Authority, fingerprintOf, type IssueOptions } from './pki/authority';
export { type CertificateRequest, newRequest } from './pki/request';
export { type JoinTokenRecord, JoinTokens, type JoinTokenStore, openJoinToken, sealJoinToken } from './pki/join-token';
export { fetchAuthority } from './pki/pinned';
export { keepRenewed, type RenewalOptions, saveMaterial } from './pki/renewal';
