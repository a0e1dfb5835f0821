/** One bit of a page that nobody rewrites: only looking at every word finds it. */
require('./plant.cjs')((words, { pass }) => {
  if (pass !== 0) return false;
  words[700] ^= 4;
  return true;
});
