/** The oracle's pattern once more (oracle.h), for those who damage its memory from outside. */

const MAGIC = 0x0dac1e00;
const STEP = 0x9e3779b1;
const PAGE_WORDS = 1024;

function seed(page, pass) {
  let mixed = Math.imul(page, 0x85ebca6b) ^ Math.imul(pass, 0xc2b2ae35);
  mixed ^= mixed >>> 15;
  return Math.imul(mixed, 0x2c1b3c6d);
}

/** The words of a page as a pass that rewrites all of it leaves them: Uint32Array of 1024. */
function pageOf(page, pass) {
  const words = new Uint32Array(PAGE_WORDS);
  const first = seed(page, pass);
  for (let word = 2; word < PAGE_WORDS; word++) words[word] = first + Math.imul(word, STEP);
  words[0] = MAGIC ^ page;
  words[1] = pass;
  return words;
}

/** { page, pass } that these 1024 words are a page of; undefined: of none. */
function recognize(words) {
  const page = (words[0] ^ MAGIC) >>> 0;
  if (page >= 1 << 20) return undefined;
  const wanted = pageOf(page, words[1]);
  for (const word of [2, 3, 500, PAGE_WORDS - 1]) if (words[word] !== wanted[word]) return undefined;
  return { page, pass: words[1] };
}

module.exports = { pageOf, recognize, PAGE_WORDS };
