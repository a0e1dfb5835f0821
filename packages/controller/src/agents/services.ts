/** Service Agents: joining, certificates, sessions, consoles. */
import type { Logger } from 'pino';
import type { Access } from '../access/access';
import { Told } from '../api/services';
import { addHost } from '../core/cluster-requests';
import { Refusal } from '../core/errors';
import { checkName } from '../core/spec-checks';
import type { Leadership } from '../leader/leadership';
import { text } from '../rpc/fields';
import type { Call, Message, Services } from '../rpc/rpc';
import type { Consoles } from './consoles';
import type { Sessions } from './sessions';

/** The cluster's CA. */
export interface Authority {
  readonly caPem: string;
  /** A certificate for an agent. @throws for a request that does not hold */
  issueAgent(csrPem: string, hostId: string, hostName: string): Promise<{ certificatePem: string; endsAtMs: number }>;
}

export interface AgentPorts {
  readonly access: Access;
  readonly sessions: Sessions;
  readonly consoles: Consoles;
  readonly authority: Authority;
  readonly log: Logger;
  leadership(): Leadership;
  controllers(): string[];
  newId(): string;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function agentServices(ports: AgentPorts): Services {
  const unary = (work: (request: Message, call: Call) => Promise<object>) => ({
    unary: async (request: Message, call: Call): Promise<object> => {
      try {
        return await work(request, call);
      } catch (error) {
        throw told(ports, error);
      }
    },
  });
  return {
    Agents: {
      Join: unary((request) => join(ports, request)),
      Renew: unary((request, call) => renew(ports, request, call)),
      Session: { bidi: (requests, call) => telling(ports, ports.sessions.serve(requests, call)) },
      Console: { bidi: (requests, call) => telling(ports, ports.consoles.agent(requests, call)) },
    },
  };
}

async function join(ports: AgentPorts, request: Message): Promise<object> {
  const leadership = ports.leadership();
  const [hostId, hostName] = [text(request, 'hostId'), text(request, 'hostName')];
  if (!UUID.test(hostId)) throw new Refusal('invalid', 'the host id must be a UUID');
  checkName(hostName, 'host');
  await ports.access.useJoinToken(text(request, 'token'), hostName);
  const { certificatePem, endsAtMs } = await ports.authority.issueAgent(text(request, 'csrPem'), hostId, hostName);
  await leadership.ask((ctx) => addHost(ctx, { id: hostId, name: hostName, certificateEndsAtMs: endsAtMs }));
  ports.log.info({ host: hostName, hostId }, 'a host has joined');
  return { hostId, certificatePem, caPem: ports.authority.caPem, controllers: ports.controllers() };
}

async function renew(ports: AgentPorts, request: Message, { certificate }: Call): Promise<object> {
  if (certificate?.kind !== 'agent') throw new Refusal('role', 'only a host that has joined has a certificate to renew');
  const leadership = ports.leadership();
  const host = leadership.state.hosts.get(certificate.id);
  if (!host) throw new Refusal('role', 'this host was removed from the cluster: join it again');
  const { certificatePem, endsAtMs } = await ports.authority.issueAgent(text(request, 'csrPem'), certificate.id, host.record.name);
  await leadership.ask((ctx) => {
    host.record.certificateEndsAtMs = endsAtMs;
    ctx.save('host', host.record.id, () => host.record);
  });
  return { certificatePem, caPem: ports.authority.caPem };
}

async function* telling(ports: AgentPorts, stream: AsyncIterable<object>): AsyncIterable<object> {
  try {
    yield* stream;
  } catch (error) {
    throw told(ports, error);
  }
}

function told(ports: AgentPorts, error: unknown): Told {
  const id = ports.newId();
  const known = new Told(error, id);
  if (known.code === 'internal')
    ports.log.error({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }, 'an error that should not be');
  return known;
}
