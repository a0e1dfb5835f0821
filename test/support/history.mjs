/**
 * What a cluster's history must keep, judged from what was seen of it from outside: samples of each VMM's own word
 * (asked on its control socket) and the claims of leases as they lie on the datastore.
 *
 *   one-runner   an epoch of a VM's lease has one owner, for ever; who runs is the owner of the epoch it runs under;
 *                nobody runs under an epoch after somebody was seen to run under a later one
 *   writes       every write that a client was told of is there, once, in order
 *
 * A sample is true at one unknown moment between the question and the answer, so two contradict each other only when
 * the one was answered before the other was asked. Pure: no clock, no files.
 */

/**
 * @typedef {object} Sample of one VMM that says that its guest is running
 * @property {string} vm
 * @property {string} vmmId
 * @property {string} host
 * @property {number} epoch of the lease that it runs under
 * @property {number} askedMs
 * @property {number} answeredMs
 *
 * @typedef {object} SeenClaim of a lease folder
 * @property {string} vm
 * @property {number} epoch
 * @property {string} vmmId '': released
 */

/** @param {readonly Sample[]} samples @param {readonly SeenClaim[]} claims @returns {string[]} what is wrong, a line each */
export function brokenLeases(samples, claims) {
  const wrong = new Set();
  /** @type {Map<string, string>} */
  const owners = new Map();
  for (const { vm, epoch, vmmId } of claims) {
    const key = `${vm} epoch ${epoch}`;
    const first = owners.get(key);
    if (first === undefined) owners.set(key, vmmId);
    else if (first !== vmmId) wrong.add(`${key} was claimed by ${first || 'nobody'} and by ${vmmId || 'nobody'}`);
  }
  for (const { vm, epoch, vmmId, host } of samples) {
    const owner = owners.get(`${vm} epoch ${epoch}`);
    // A claim may have gone with its epoch before anybody looked.
    if (owner !== undefined && owner !== vmmId) wrong.add(`${vm} ran on ${host} under epoch ${epoch}, whose owner is ${owner || 'nobody'}`);
  }
  for (const list of byVm(samples).values()) for (const line of outOfOrder(list)) wrong.add(line);
  return [...wrong];
}

/** @param {Sample[]} samples of one VM */
function* outOfOrder(samples) {
  const answered = [...samples].sort((a, b) => a.answeredMs - b.answeredMs);
  const asked = [...samples].sort((a, b) => a.askedMs - b.askedMs);
  let next = 0;
  /** The latest epoch of those answered before the question of the one that is looked at. */
  let latest;
  for (const one of asked) {
    for (; next < answered.length && answered[next].answeredMs < one.askedMs; next++)
      if (!latest || answered[next].epoch > latest.epoch) latest = answered[next];
    if (latest && latest.epoch > one.epoch)
      yield `${one.vm} ran on ${one.host} under epoch ${one.epoch} although it had been seen to run on ${latest.host} under epoch ${latest.epoch}`;
  }
}

function byVm(samples) {
  const lists = new Map();
  for (const one of samples) {
    if (!lists.has(one.vm)) lists.set(one.vm, []);
    lists.get(one.vm).push(one);
  }
  return lists;
}

/**
 * @param {readonly number[]} acknowledged numbers that a client wrote, growing, and was told of
 * @param {readonly number[]} found what stands on the disk, in its order
 * @returns {string[]} what is wrong
 */
export function lostWrites(acknowledged, found) {
  const there = new Set(found);
  const lost = acknowledged.filter((number) => !there.has(number));
  const wrong = [];
  if (lost.length > 0) wrong.push(`${lost.length} of ${acknowledged.length} acknowledged writes are gone, the first is ${lost[0]}`);
  if (there.size !== found.length) wrong.push(`${found.length - there.size} writes are there twice`);
  const back = found.findIndex((number, at) => at > 0 && number < found[at - 1]);
  if (back >= 0) wrong.push(`write ${found[back]} stands behind ${found[back - 1]}`);
  return wrong;
}
