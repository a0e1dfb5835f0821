/** The block functions of npm's lz4, which comes without types. */
/// <reference path="./lz4.d.ts" />
import lz4 from 'lz4';

export const { encodeBound, encodeBlock, decodeBlock } = lz4;
