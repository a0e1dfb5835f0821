/**
 * Guest RAM as a PCI bus master sees it. Views are windows on RAM itself: they
 * are good only until the caller returns, and nothing in them is to be read
 * twice and believed the second time.
 */
export interface BusMaster {
  /** Bytes to read, or undefined when any of them is not RAM. */
  view(gpa: number, length: number): Uint8Array | undefined;
  /**
   * Bytes to write, or undefined when any of them is not RAM. Tells the vCPU
   * first: code translated from there is dropped, the pages count as dirty.
   */
  writable(gpa: number, length: number): Uint8Array | undefined;
}
