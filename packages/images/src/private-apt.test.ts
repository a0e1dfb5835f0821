// Proves how apt's answers are read; fetching itself is what `npm test` starts with.
import { dependencyWithPrefix, parseRecord } from './private-apt';

test('only the first record counts, and continuation lines are no fields', () => {
  const text = 'Package: memtest86+\nVersion: 6.10-4\nDescription: tester\n Note: not a field\n\nPackage: other\n';
  expect(parseRecord(text)).toEqual({ Package: 'memtest86+', Version: '6.10-4', Description: 'tester' });
  expect(parseRecord('')).toEqual({});
});

test('the kernel of a metapackage is found among versions and alternatives', () => {
  expect(dependencyWithPrefix('linux-image-6.1.0-50-686 (= 6.1.176-1)', 'linux-image-')).toBe('linux-image-6.1.0-50-686');
  expect(dependencyWithPrefix('kmod, a | linux-image-7:i386', 'linux-image-')).toBe('linux-image-7');
  expect(dependencyWithPrefix('kmod', 'linux-image-')).toBeUndefined();
});
