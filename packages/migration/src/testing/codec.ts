import type { CodecPort } from '../ports';

/** Stands for lz4: a byte, then how often, which is enough to shrink what is dull. */
export const runLengths: CodecPort & Required<Pick<CodecPort, 'compress'>> = {
  compress(raw, out) {
    let put = 0;
    for (let at = 0; at < raw.length; ) {
      let end = at + 1;
      while (end < raw.length && raw[end] === raw[at] && end - at < 255) end++;
      if (put + 2 > out.length) return 0;
      out[put++] = raw[at];
      out[put++] = end - at;
      at = end;
    }
    return put;
  },
  uncompress(packed, out) {
    let put = 0;
    if (packed.length % 2) return -1;
    for (let at = 0; at < packed.length; at += 2) {
      if (put + packed[at + 1] > out.length) return -1;
      out.fill(packed[at], put, (put += packed[at + 1]));
    }
    return put;
  },
};
