// Made by packages/wire/scripts/generate.mjs from proto/godwit/v1: change it there.

export interface MigrationData {
  readonly data: Buffer;
}
