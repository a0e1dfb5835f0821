/**
 * The form of a device's saved state: named, sized, documented fields under
 * the device's own version. The same description gives the TypeScript type,
 * checks what comes in from a snapshot (another host wrote it: nothing in it
 * is trusted) and documents the format.
 *
 * Values are plain data that survive JSON and structured clone: integers,
 * booleans, arrays, records. Unknown and missing fields are errors, so a field
 * can never be dropped unnoticed between two versions of the program.
 */

/** A snapshot section that this program cannot take over: the VM must not be started from it. */
export class StateFormatError extends Error {
  override readonly name = 'StateFormatError';
}

export interface Field<T> {
  readonly doc: string;
  /** Size of one value in bits, for the format's documentation; 0 for containers. */
  readonly bits: number;
  parse(value: unknown, path: string): T;
  copy(value: T): T;
}

type Fields = Record<string, Field<unknown>>;
export type ValuesOf<F extends Fields> = { [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** What `save` gives: the fields plus the version. */
export type Saved<S> = S & { readonly version: number };

/** An integer of `bits` bits that must lie from `low` to `high`. */
export const integer = (bits: number, low: number, high: number) => (doc: string): Field<number> => ({
  doc,
  bits,
  parse(value, path) {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < low || value > high) {
      throw new StateFormatError(`${path}: expected an integer from ${low} to ${high}, got ${String(value)}`);
    }
    return value;
  },
  copy: (value) => value,
});

export const u8 = integer(8, 0, 0xff);
export const u16 = integer(16, 0, 0xffff);
export const u32 = integer(32, 0, 0xffffffff);
/** A count of ticks, nanoseconds or milliseconds; signed, exact in a double. */
export const i64 = integer(64, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);

/** Any finite number: time offsets that need not be whole. */
export const real = (doc: string): Field<number> => ({
  doc,
  bits: 64,
  parse(value, path) {
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      throw new StateFormatError(`${path}: expected a finite number, got ${String(value)}`);
    }
    return value;
  },
  copy: (value) => value,
});

export const flag = (doc: string): Field<boolean> => ({
  doc,
  bits: 1,
  parse(value, path) {
    if (typeof value !== 'boolean') throw new StateFormatError(`${path}: expected true or false, got ${String(value)}`);
    return value;
  },
  copy: (value) => value,
});

export const text = (doc: string, maxLength: number): Field<string> => ({
  doc,
  bits: 0,
  parse(value, path) {
    if (typeof value !== 'string' || value.length > maxLength) {
      throw new StateFormatError(`${path}: expected a string of at most ${maxLength} characters`);
    }
    return value;
  },
  copy: (value) => value,
});

/** `length` items exactly, or at most `maxLength`. */
export const list = <T>(item: Field<T>, size: { length: number } | { maxLength: number }): Field<T[]> => ({
  doc: item.doc,
  bits: 0,
  parse(value, path) {
    if (!Array.isArray(value)) throw new StateFormatError(`${path}: expected a list`);
    const wrong = 'length' in size ? value.length !== size.length : value.length > size.maxLength;
    if (wrong) throw new StateFormatError(`${path}: ${value.length} items do not fit ${JSON.stringify(size)}`);
    return value.map((each, index) => item.parse(each, `${path}[${index}]`));
  },
  copy: (value) => value.map((each) => item.copy(each)),
});

export const record = <F extends Fields>(fields: F, doc = ''): Field<ValuesOf<F>> => ({
  doc,
  bits: 0,
  parse(value, path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new StateFormatError(`${path}: expected a record`);
    }
    const given = value as Record<string, unknown>;
    for (const name of Object.keys(given)) {
      if (!Object.hasOwn(fields, name)) throw new StateFormatError(`${path}.${name}: unknown field`);
    }
    const result: Record<string, unknown> = {};
    for (const [name, field] of Object.entries(fields)) {
      if (!Object.hasOwn(given, name)) throw new StateFormatError(`${path}.${name}: missing`);
      result[name] = field.parse(given[name], `${path}.${name}`);
    }
    return result as ValuesOf<F>;
  },
  copy(value) {
    const result: Record<string, unknown> = {};
    for (const [name, field] of Object.entries(fields)) result[name] = field.copy(value[name]);
    return result as ValuesOf<F>;
  },
});

/** One device's format. */
export class StateFormat<F extends Fields> {
  private readonly body: Field<ValuesOf<F>>;

  constructor(
    readonly device: string,
    readonly version: number,
    readonly fields: F,
  ) {
    this.body = record(fields);
  }

  save(values: ValuesOf<F>): Saved<ValuesOf<F>> {
    return { version: this.version, ...this.body.copy(values) };
  }

  /** @throws StateFormatError naming the device, the field and what is wrong with it. */
  parse(saved: unknown): ValuesOf<F> {
    if (typeof saved !== 'object' || saved === null) throw new StateFormatError(`${this.device}: no saved state`);
    const { version, ...fields } = saved as Record<string, unknown>;
    if (version !== this.version) {
      throw new StateFormatError(
        `${this.device}: saved state has version ${String(version)}, this program reads version ${this.version}`,
      );
    }
    return this.body.parse(fields, this.device);
  }
}
