/** An agent without a network: a session over the controller's own service, with one host's VMs in memory. */
import { Queue } from '../rpc/queue';
import { inner, number, text, texts } from '../rpc/fields';
import type { Call, Message, Services } from '../rpc/rpc';
import { answerType, checkMessage } from './schema-check';

const GIB = 2 ** 30;

export class FakeAgent {
  readonly orders: string[] = [];
  readonly vmms = new Map<string, Message>();
  private readonly out = new Queue<Message>(1_000, () => new Error('full'));
  private epoch = 0;
  term = 0;
  done: Promise<void> = Promise.resolve();

  constructor(
    readonly services: Services,
    readonly hostId: string,
    readonly name: string,
  ) {}

  get call(): Call {
    return {
      certificate: { kind: 'agent', id: this.hostId, name: this.name, role: '' },
      bearer: '',
      peer: 'test',
      signal: new AbortController().signal,
    };
  }

  connect(): void {
    const session = this.services.Agents.Session;
    if (!('bidi' in session)) throw new Error('Session is a bidi method');
    this.out.put({
      hello: {
        protocol: 1,
        agentVersion: 'test',
        bootId: 'b1',
        agentId: 'a1',
        host: this.host(),
        vmms: [...this.vmms.values()],
        datastores: [{ datastoreId: 'ds', name: 'shared', reachable: true, freeBytes: 1e12, totalBytes: 2e12 }],
      },
    });
    const stream = session.bidi(this.out, this.call);
    this.done = (async () => {
      for await (const message of stream) {
        checkMessage(answerType('Agents', 'Session'), message);
        this.hear(message as Message);
      }
    })();
  }

  /** Something that an agent says by itself: a report of a VM, of the host. */
  say(message: Message): void {
    this.out.put(message);
  }

  disconnect(): Promise<void> {
    this.out.end();
    return this.done;
  }

  private hear(message: Message): void {
    const order = inner(message, 'order');
    if (inner(message, 'welcome')) this.term = number(inner(message, 'welcome'), 'term');
    for (const datastoreId of texts(inner(message, 'ask'), 'datastoreIds'))
      this.out.put({ datastore: { datastoreId, name: 'shared', reachable: true, vmsListed: true, vms: [] } });
    if (order) this.obey(order);
  }

  private obey(order: Message): void {
    const vmId = text(order, 'vmId');
    const kind = ['create', 'start', 'stop', 'pause', 'resume', 'setMaintenance', 'remove'].find((name) => inner(order, name)) ?? 'other';
    this.orders.push(kind);
    const start = inner(order, 'start');
    if (start) this.report(vmId, text(inner(start, 'spec'), 'name'), 'VM_STATE_RUNNING', []);
    if (kind === 'pause') this.report(vmId, text(inner(this.vmms.get(vmId), 'status'), 'name'), 'VM_STATE_PAUSED', ['operator']);
    if (kind === 'stop') {
      const vmm = this.vmms.get(vmId)!;
      this.vmms.delete(vmId);
      this.out.put({ vmm: { ...vmm, status: { ...inner(vmm, 'status'), ended: 'stopped' } } });
    }
    this.out.put({ result: { orderId: text(order, 'orderId'), state: 'ORDER_STATE_DONE' } });
  }

  private report(vmId: string, name: string, state: string, pauses: string[]): void {
    const before = this.vmms.get(vmId);
    const leaseEpoch = before ? number(inner(before, 'status'), 'leaseEpoch') : ++this.epoch;
    const vm = {
      vmId,
      name,
      state,
      cpu: { vendor: 'GenuineIntel', features: ['cmov'], xsaveBytes: 512 },
      vcpus: 1,
      memoryBytes: GIB,
      machineVersion: 1,
      datastores: ['ds'],
      networks: ['user'],
    };
    const vmm = { vmmId: `vmm-${vmId}`, place: { datastoreId: 'ds', folder: name }, status: { vm, leaseEpoch, pauses } };
    this.vmms.set(vmId, vmm);
    this.out.put({ vmm });
  }

  private host(): Message {
    return {
      facts: {
        hostId: this.hostId,
        name: this.name,
        cpu: { vendor: 'GenuineIntel', features: ['cmov', 'sse2'], xsaveBytes: 4096 },
        cpus: 8,
        freeMemoryBytes: 16 * GIB,
        protocol: { oldest: 1, newest: 1 },
        machineVersions: { oldest: 1, newest: 1 },
        datastores: ['ds'],
        networks: ['user'],
        wallClockMs: Date.now(),
      },
      load: {},
      totalMemoryBytes: 32 * GIB,
    };
  }
}
