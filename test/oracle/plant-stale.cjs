/** A page becomes what it was a pass earlier, as a dirty bit that was lost would have left it. */
const { pageOf } = require('./pattern.cjs');

require('./plant.cjs')((words, { page, pass }) => {
  if (pass < 2) return false;
  words.set(pageOf(page, pass - 1));
  return true;
});
