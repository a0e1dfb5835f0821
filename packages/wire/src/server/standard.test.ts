/** The standard services: health checks and reflection, for whoever may call. */
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { service as healthService } from 'grpc-health-check';
import { Certificates } from '../certificates';
import { clientCredentials } from '../client/credentials';
import { Authority } from '../pki/authority';
import { PLAIN, serverTls } from '../security';
import { Scratch, vmmWith } from '../testing/support';
import { serve } from './serve';

type Client = grpc.Client & Record<string, (...args: never[]) => never>;
type Unary = (request: object, done: (error: grpc.ServiceError | null, answer: never) => void) => void;
const makeClient = (definition: grpc.ServiceDefinition, address: string, credentials = grpc.credentials.createInsecure()): Client => {
  const client = new (grpc.makeGenericClientConstructor(definition, ''))(address, credentials, {
    'grpc.ssl_target_name_override': 'x',
  }) as unknown as Client;
  scratch.defer(() => client.close());
  return client;
};
const call = (client: Client, method: string, request: object): Promise<Record<string, unknown>> =>
  new Promise((resolve, reject) =>
    (client[method] as unknown as Unary).call(client, request, (error, answer) => (error ? reject(error) : resolve(answer))),
  );

let scratch: Scratch;
beforeEach(() => (scratch = new Scratch()));
afterEach(() => scratch.clear());

test('health: of the server and of each service, and it can be changed and watched', async () => {
  const server = await serve({ address: '127.0.0.1:0', security: PLAIN, services: { Vmm: vmmWith({}) } });
  scratch.defer(() => server.close(50));
  const client = makeClient(healthService as unknown as grpc.ServiceDefinition, server.address);
  expect(await call(client, 'check', { service: '' })).toEqual({ status: 'SERVING' });
  expect(await call(client, 'check', { service: 'godwit.v1.Vmm' })).toEqual({ status: 'SERVING' });
  await expect(call(client, 'check', { service: 'godwit.v1.Vms' })).rejects.toMatchObject({ code: grpc.status.NOT_FOUND });
  const watch = (client.watch as unknown as (request: object) => grpc.ClientReadableStream<{ status: string }>).call(client, {
    service: 'godwit.v1.Vmm',
  });
  const seen: string[] = [];
  for await (const { status } of watch) {
    seen.push(status);
    if (seen.length === 1) server.health.set('Vmm', false);
    else break;
  }
  expect(seen).toEqual(['SERVING', 'NOT_SERVING']);
  expect(await call(client, 'check', { service: 'godwit.v1.Vmm' })).toEqual({ status: 'NOT_SERVING' });
});

/** What grpcurl sends: reflection's own protocol, written down by its number (grpc/reflection/v1/reflection.proto). */
const reflectionProto = require
  .resolve('@grpc/reflection')
  .replace(/build[\\/]src[\\/]index\.js$/, 'build/proto/grpc/reflection/v1/reflection.proto');

test('reflection lists what is served, and describes it with its messages', async () => {
  const server = await serve({ address: '127.0.0.1:0', security: PLAIN, services: { Vmm: vmmWith({}) } });
  scratch.defer(() => server.close(50));
  const definition = loadSync(reflectionProto, { longs: Number, defaults: true, oneofs: true })[
    'grpc.reflection.v1.ServerReflection'
  ] as unknown as grpc.ServiceDefinition;
  const client = makeClient(definition, server.address);
  const stream = (client.serverReflectionInfo as unknown as () => grpc.ClientDuplexStream<object, Record<string, never>>).call(client);
  const answers = stream[Symbol.asyncIterator]();
  stream.write({ listServices: '*' });
  const { value: list } = await answers.next();
  expect((list.listServicesResponse as { service: { name: string }[] }).service.map(({ name }) => name)).toContain('godwit.v1.Vmm');
  stream.write({ fileContainingSymbol: 'godwit.v1.Vmm' });
  const { value: file } = await answers.next();
  const descriptors = Buffer.concat((file.fileDescriptorResponse as { fileDescriptorProto: Buffer[] }).fileDescriptorProto).toString(
    'latin1',
  );
  for (const name of ['VmmStatus', 'WatchStatus', 'lease_epoch'])
    expect({ name, isThere: descriptors.includes(name) }).toEqual({ name, isThere: true });
  stream.end();
});

test('both are refused, like everything else, to whoever shows no certificate', async () => {
  const authority = await Authority.open(scratch.path('ca'));
  const certificates = new Certificates(await authority.certify({ kind: 'controller', controllerId: 'c' }));
  const server = await serve({ address: '127.0.0.1:0', security: serverTls(certificates), services: { Vmm: vmmWith({}) } });
  scratch.defer(() => server.close(50));
  const nobody = clientCredentials({ kind: 'tls-anonymous', caPem: authority.caPem, expect: {} });
  await expect(
    call(makeClient(healthService as unknown as grpc.ServiceDefinition, server.address, nobody), 'check', { service: '' }),
  ).rejects.toMatchObject({ code: grpc.status.UNAUTHENTICATED });
  const member = clientCredentials({ kind: 'tls', certificates, expect: {} });
  expect(
    await call(makeClient(healthService as unknown as grpc.ServiceDefinition, server.address, member), 'check', { service: '' }),
  ).toEqual({ status: 'SERVING' });
});
