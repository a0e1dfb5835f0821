/** Where a saved machine goes to and comes from: a file, a file server's client, a connection. */

export interface StateSink {
  /** For messages: the path that the state will have. */
  readonly name: string;
  /**
   * Appends. Calls come in order, but several may be under way at a time; `bytes` are
   * not changed before the promise is settled.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Makes all of it durable, then visible under its name, in one step. */
  commit(): Promise<void>;
  /** Nothing of it stays. Never throws; does nothing after `commit`. */
  abort(): Promise<void>;
}

export interface StateSource {
  /** For messages: the path. */
  readonly name: string;
  /** The next bytes, 1 to `into.length` of them; 0 at the end. */
  read(into: Uint8Array): Promise<number>;
  close(): Promise<void>;
}
