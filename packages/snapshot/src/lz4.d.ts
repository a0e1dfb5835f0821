/** The block functions of npm's lz4: liblz4's own, without frames. */
declare module 'lz4' {
  const lz4: {
    /** Largest size that `bytes` bytes can be packed to. */
    encodeBound(bytes: number): number;
    /** Packed size; 0 if `output` is too small. */
    encodeBlock(input: Uint8Array, output: Uint8Array): number;
    /** Unpacked size; negative for input that is damaged or does not fit. Never writes outside `output`. */
    decodeBlock(input: Uint8Array, output: Uint8Array): number;
  };
  export = lz4;
}
