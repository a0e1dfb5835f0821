/** "Did you mean …?": the nearest of some words, if one is near. */

/** Words that people know from other tools. */
const SYNONYMS: Readonly<Record<string, string>> = {
  list: 'ls',
  get: 'ls',
  delete: 'rm',
  del: 'rm',
  remove: 'rm',
  destroy: 'rm',
  describe: 'show',
  inspect: 'show',
  info: 'show',
  new: 'create',
  make: 'create',
  edit: 'change',
  update: 'change',
  poweron: 'start',
  boot: 'start',
  poweroff: 'stop',
  shutdown: 'stop',
  reboot: 'reset',
  unpause: 'resume',
  unfreeze: 'resume',
  freeze: 'pause',
  serial: 'console',
  evacuate: 'drain',
  maintenance: 'drain',
  cordon: 'drain',
  uncordon: 'resume',
  join: 'add',
  move: 'migrate',
  abort: 'cancel',
  node: 'host',
  instance: 'vm',
  domain: 'vm',
  ps: 'top',
  log: 'events',
  logs: 'events',
  server: '--host',
};

/** Undefined: none is near enough to be meant. */
export function nearest(word: string, among: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  const synonym = SYNONYMS[lower];
  if (synonym !== undefined && among.includes(synonym)) return synonym;
  const starts = among.filter((one) => lower.length >= 2 && one.toLowerCase().startsWith(lower));
  if (starts.length === 1) return starts[0];
  const most = Math.max(1, Math.floor(word.length / 3));
  const [best] = among
    .map((one) => ({ one, distance: distance(lower, one.toLowerCase()) }))
    .filter((found) => found.distance <= most)
    .sort((a, b) => a.distance - b.distance);
  return best?.one;
}

/** `; did you mean web1?`, or nothing. */
export function didYouMean(word: string, among: readonly string[], prefix = ''): string {
  const meant = nearest(word, among);
  return meant === undefined ? '' : `; did you mean ${prefix}${meant}?`;
}

/** Characters to insert, remove, replace, or swap with their neighbour (optimal string alignment). */
export function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) row[j] = Math.min(row[j], before[j - 2] + 1);
    }
    before = last;
    last = row;
  }
  return last[b.length];
}
