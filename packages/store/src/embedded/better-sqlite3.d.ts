/** The part of better-sqlite3 12 that is used here. */
declare module 'better-sqlite3' {
  namespace Database {
    interface Statement {
      run(...parameters: unknown[]): { changes: number; lastInsertRowid: number | bigint };
      get(...parameters: unknown[]): unknown;
      all(...parameters: unknown[]): unknown[];
      iterate(...parameters: unknown[]): IterableIterator<unknown>;
      pluck(): this;
    }
    interface Database {
      readonly open: boolean;
      readonly inTransaction: boolean;
      prepare(sql: string): Statement;
      exec(sql: string): this;
      pragma(text: string, options?: { simple?: boolean }): unknown;
      function(name: string, options: { deterministic?: boolean }, act: (...values: unknown[]) => unknown): this;
      transaction<T>(act: () => T): { (): T; immediate(): T };
      backup(file: string, options?: { progress?: (state: { totalPages: number; remainingPages: number }) => number }): Promise<unknown>;
      close(): this;
    }
  }
  interface Constructor {
    new (file: string, options?: { readonly?: boolean; fileMustExist?: boolean; timeout?: number }): Database.Database;
  }
  const Database: Constructor;
  export = Database;
}
