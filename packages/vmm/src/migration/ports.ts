import type {
  ClockPort, CodecPort, LeaseAnswer, LeaseOwner, LeaseVerdict, PageWork, SourceLeasePort, TargetLeasePort,
} from '@godwit/migration';
import { loadNative } from '@godwit/metal';
import { decodeBlock, encodeBlock } from '@godwit/snapshot';
import { type LeaseHolder, LeaseRefused } from '@godwit/storage';

/** What a migration's pure core needs of this process: time, lz4, work on pages, the lease. */

export const clockPort: ClockPort = {
  now: () => performance.now(),
  after: (ms, act) => {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
  breathe: () => new Promise((resolve) => setImmediate(resolve)),
};

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

export const codecPort: CodecPort = {
  compress: (raw, out) => {
    const size = encodeBlock(asBuffer(raw), asBuffer(out));
    return size > 0 ? size : 0;
  },
  uncompress: (packed, out) => decodeBlock(asBuffer(packed), asBuffer(out)),
};

export function nativePageWork(): PageWork {
  const { sumWords, gatherPages, scatterPages } = loadNative();
  return { sumWords, gather: gatherPages, scatter: scatterPages };
}

export function sourceLease(holder: LeaseHolder): SourceLeasePort {
  let lost: string | undefined;
  const lostBefore = holder.onLost;
  holder.onLost = (owner) => {
    lost = owner?.hostName ?? 'another host';
    lostBefore(owner);
  };
  const kept = (): LeaseAnswer => (lost === undefined ? { is: 'kept' } : { is: 'lost', owner: lost });
  return {
    announce: (next) => holder.announce(next),
    // The holder finds out by itself what became of a write that was not answered.
    passTo: async (target, migrationId) => {
      const { epoch } = holder;
      try {
        return (await holder.passTo(target, migrationId)) ? { is: 'passed', epoch: epoch + 1 } : kept();
      } catch (error) {
        if (error instanceof LeaseRefused) return { is: 'lost', owner: error.owner?.hostName ?? 'another host' };
        return { is: 'unknown', why: (error as Error).message };
      }
    },
    read: async () => kept(),
  };
}

export function targetLease(holder: LeaseHolder): TargetLeasePort {
  const calledOff = new AbortController();
  return {
    owner: holder.owner as LeaseOwner,
    watch: async (migrationId): Promise<LeaseVerdict> => {
      try {
        const { epoch } = await holder.expect({ migrationId, signal: calledOff.signal });
        return { is: 'acquired', epoch };
      } catch (error) {
        if (!(error instanceof LeaseRefused)) throw error;
        return { is: 'refused', owner: error.owner?.hostName ?? 'another host' };
      }
    },
    look: () => holder.look(),
    unwatch: () => calledOff.abort(),
  };
}
