/** What the services of the public API work with. */
import type { Access, Identity } from '../access/access';
import type { Consoles } from '../agents/consoles';
import type { Timeline } from '../events/timeline';
import type { Leadership } from '../leader/leadership';
import type { Watchers } from '../leader/watchers';
import type { Call, Message } from '../rpc/rpc';

export interface ControllerStatus {
  readonly controllerId: string;
  readonly address: string;
  readonly leads: boolean;
  readonly version: string;
}

export interface ApiPorts {
  /** @throws Refusal 'not-leader', with the leader's address in the line */
  leadership(): Leadership;
  readonly access: Access;
  readonly timeline: Timeline;
  readonly watchers: Watchers;
  readonly consoles: Consoles;
  readonly cluster: { readonly id: string; readonly name: string; readonly store: string };
  controllers(): ControllerStatus[];
  /** HOST:PORT for agents, and what a join token holds beside its secret: the CA's fingerprint. */
  joining(): { readonly addresses: string[]; seal(token: string): string };
  now(): number;
}

/** A method of the public API: the caller is known, and may. */
export interface ApiCall extends Call {
  readonly identity: Identity;
}
export type ApiUnary = (request: Message, call: ApiCall) => Promise<object>;
export type ApiStream = (request: Message, call: ApiCall) => AsyncIterable<object>;
export type ApiBidi = (requests: AsyncIterable<Message>, call: ApiCall) => AsyncIterable<object>;
export type ApiMethod = ApiUnary | { readonly stream: ApiStream } | { readonly bidi: ApiBidi };
export type ApiService = Readonly<Record<string, ApiMethod>>;
