export type * from './generated';
export type { Bidi, ClientStream, Input, ServerStream, Unary } from './schema/kinds';
export { WireError, type WireErrorCode } from './errors';
export { Queue } from './queue';
export { serve, type Implementations, type RawService, type ServeOptions, type WireServer } from './server/serve';
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
