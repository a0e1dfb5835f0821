/**
 * The lease's records as files (packages/lease/src/record.ts), each operation bounded
 * in time: a storage that hangs costs a promise that nobody waits for any more, and
 * the answer "unknown". Claims are made by link(2), heartbeats replaced by rename(2):
 * both are atomic on an NFS server.
 */
import { encodeBeat, encodeClaim, parseClaim, type Beat, type Claim, type ClaimOutcome, type Seen } from '@godwit/lease';
import { codeOf, StorageError } from './errors';
import { uniqueSuffix, writeNewFile, type FileSystem } from './file-system';
import { MAX_HUNG_OPERATIONS, MAX_SMALL_FILE_BYTES } from './limits';

/** `claim.7`, `beat.7`, and temporary files on their way to become one. */
const RECORD = /^(claim|beat)\.(\d{1,16})(\..*)?$/;

export class LeaseFiles {
  private underWay = 0;
  /** Why the last operation failed, for messages. */
  lastError: StorageError | undefined;

  constructor(
    private readonly files: FileSystem,
    private readonly folder: string,
    private readonly timeoutMs: number,
  ) {}

  /** Null: the storage did not answer, or not in time. */
  observe(): Promise<Seen | null> {
    return this.bounded(() => this.look(), null);
  }

  async claim(claim: Claim): Promise<ClaimOutcome> {
    const path = `${this.folder}/claim.${claim.epoch}`;
    const temporary = `${path}.${uniqueSuffix()}.tmp`;
    // From 'unsent' to 'unknown' right before the link is sent, never after the time is up.
    const way: { outcome: ClaimOutcome; late: boolean } = { outcome: 'unsent', late: false };
    const act = async (): Promise<ClaimOutcome> => {
      await writeNewFile(this.files, temporary, encodeClaim(claim));
      try {
        if (way.late) return 'unsent';
        way.outcome = 'unknown';
        await this.files.link(temporary, path);
        await this.files.syncFolder(this.folder);
        return 'won';
      } catch (error) {
        if (codeOf(error) === 'EEXIST') return 'exists';
        throw error;
      } finally {
        this.files.unlink(temporary).catch(() => undefined);
      }
    };
    const outcome = await this.bounded(act, null);
    way.late = true;
    return outcome ?? way.outcome;
  }

  async beat(beat: Beat): Promise<boolean> {
    const path = `${this.folder}/beat.${beat.epoch}`;
    // A name of its own for each heartbeat: its rename can happen once.
    const temporary = `${path}.${beat.counter}.${uniqueSuffix()}.tmp`;
    const act = async (): Promise<boolean> => {
      await writeNewFile(this.files, temporary, encodeBeat(beat));
      await this.files.rename(temporary, path);
      return true;
    };
    return (await this.bounded(act, null)) ?? false;
  }

  /** Removes what belongs to lower epochs. */
  async tidy(below: number): Promise<void> {
    await this.bounded(async () => {
      for (const name of await this.files.list(this.folder)) {
        const epoch = RECORD.exec(name)?.[2];
        if (epoch !== undefined && Number(epoch) < below) await this.files.unlink(`${this.folder}/${name}`);
      }
    }, undefined);
  }

  private async look(): Promise<Seen> {
    await this.files.refresh(this.folder);
    let epoch = 0;
    for (const name of await this.files.list(this.folder)) {
      const match = RECORD.exec(name);
      if (match?.[1] === 'claim' && match[3] === undefined) epoch = Math.max(epoch, Number(match[2]));
    }
    if (epoch === 0) return { epoch, claim: undefined, beat: '' };
    const claim = parseClaim(await this.read(`claim.${epoch}`));
    const beat = await this.read(`beat.${epoch}`).catch((error) => {
      if (codeOf(error) === 'ENOENT') return '';
      throw error;
    });
    // What stands in a file named after another epoch is no claim on this one.
    return { epoch, claim: claim?.epoch === epoch ? claim : undefined, beat };
  }

  private async read(name: string): Promise<string> {
    return (await this.files.readFresh(`${this.folder}/${name}`, MAX_SMALL_FILE_BYTES)).toString('utf8');
  }

  private async bounded<T, F>(act: () => Promise<T>, failed: F): Promise<T | F> {
    if (this.underWay >= MAX_HUNG_OPERATIONS) return failed;
    this.underWay++;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new StorageError('ETIMEDOUT', `${this.files.where} does not answer`)), this.timeoutMs);
    });
    try {
      return await Promise.race([act().finally(() => this.underWay--), late]);
    } catch (error) {
      this.lastError = error instanceof StorageError ? error : new StorageError(codeOf(error), String(error));
      return failed;
    } finally {
      clearTimeout(timer);
    }
  }
}
