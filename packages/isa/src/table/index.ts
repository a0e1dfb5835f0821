/** The whole instruction table: every consumer reads these rows and no other list of instructions. */
import type { Row } from '../instruction';
import { avx0f38, avx0f3a, avxTwoByte } from './avx';
import { oneByte } from './one-byte';
import { parseTable } from './parse';
import { sse0f38, sse0f3a } from './sse-0f38';
import { mmxOnly, sseTwoByte } from './sse-two-byte';
import { bmi, integer0f38, twoByte } from './two-byte';
import { x87 } from './x87';

export const rows: readonly Row[] = parseTable([
  oneByte, twoByte, integer0f38, ...bmi, x87, mmxOnly, sseTwoByte, sse0f38, sse0f3a, avxTwoByte, avx0f38, avx0f3a,
]);
