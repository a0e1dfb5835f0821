// A VMM reduced to its lease: holder.cjs DATASTORE VM NAME TIMING. Says on stdout, a line of
// JSON each, what befalls it; while it may run, it writes its epoch into the VM's disk, 40 times a second.
const { Datastore, LeaseHolder } = require('@godwit/storage');

const say = (event, more = {}) => process.stdout.write(`${JSON.stringify({ event, ...more })}\n`);
const [where, vmName, name, timing] = process.argv.slice(2);

(async () => {
  const store = await Datastore.open(where, { timeoutMs: 2_000 });
  const vm = await store.vm(vmName);
  const owner = { hostId: `id-${name}`, hostName: name, vmmId: `${name}-${process.pid}` };
  const holder = new LeaseHolder(await vm.leasePlace(), owner, JSON.parse(timing));
  holder.onMustPause = () => say('mustPause');
  holder.onMayResume = () => say('mayResume', { epoch: holder.epoch });
  holder.onLost = (owner) => say('lost', { owner: owner?.hostName });
  try {
    say('acquired', await holder.acquire({ wait: process.argv.includes('--wait') }));
  } catch (error) {
    say('failed', { message: error.message });
    process.exit(1);
  }
  const disk = await vm.openDisk('root', { write: true, create: 'if-missing', guard: holder.deadline.guard });
  process.on('SIGTERM', async () => {
    say('released', { clean: await holder.release() });
    process.exit(0);
  });
  const last = { allowed: true };
  setInterval(() => {
    // What a vCPU's thread would ask: no message has to arrive for it to be right.
    const allowed = holder.mayRun();
    if (allowed !== last.allowed) say(allowed ? 'runs' : 'stands');
    last.allowed = allowed;
    if (!allowed) return;
    const block = Buffer.alloc(512);
    block.writeUInt32LE(holder.epoch, 0);
    disk.write([block], 0).catch((error) => say('write failed', { code: error.code }));
  }, 25);
})().catch((error) => {
  say('failed', { message: error.message });
  process.exit(1);
});
