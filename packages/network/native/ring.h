// The frame ring as C++ sees it: the twin of packages/network/src/frame-ring.ts,
// where the layout is explained. Offsets are handed to TypeScript at load and compared.
#pragma once
#include <stdint.h>
#include <string.h>

namespace godwit {

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

constexpr u32 kVirtioHeaderBytes = 12;
constexpr u32 kMinFrameBytes = 14;
constexpr u32 kMaxFrameBytes = 65550;
constexpr u32 kMaxRecordBytes = kVirtioHeaderBytes + kMaxFrameBytes;
constexpr u32 kMinRingBytes = 512 << 10;
constexpr u32 kMaxRingBytes = 64 << 20;

// Padded, not aligned, to cache lines: shared memory from JavaScript begins at any multiple of 8.
struct RingHeader {
  u32 head;  // bytes ever put, modulo 2^32
  u8 pad0[60];
  u32 tail;  // bytes ever taken
  u8 pad1[60];
  u32 consumerSleeps;
  u32 producerWaits;
  u8 pad2[56];
  double frames;
  double bytes;
  double dropped;
  u8 pad3[40];
  u8 data[];
};
constexpr u32 kSkip = 0xFFFFFFFFu;
constexpr u32 kRecordAlign = 16;

inline u32 recordSpan(u32 length) { return (length + 4 + kRecordAlign - 1) & ~(kRecordAlign - 1); }

class Ring {
 public:
  // SAFETY: the caller keeps the shared memory alive for as long as the ring is used.
  // False: not a ring (size no power of two within the limits).
  bool attach(u8 *memory, u64 bytes) {
    if (bytes <= sizeof(RingHeader)) return false;
    const u64 capacity = bytes - sizeof(RingHeader);
    if (capacity < kMinRingBytes || capacity > kMaxRingBytes || (capacity & (capacity - 1)) || ((uintptr_t)memory & 7)) return false;
    h_ = (RingHeader *)memory;
    capacity_ = (u32)capacity;
    return true;
  }

  // Producer: room for a record of up to `length` bytes (header and frame) in one piece, or null.
  u8 *reserve(u32 length) {
    const u32 head = __atomic_load_n(&h_->head, __ATOMIC_RELAXED);
    const u32 used = head - __atomic_load_n(&h_->tail, __ATOMIC_SEQ_CST);
    if (used > capacity_) return nullptr;  // the other side broke the ring: as good as full
    const u32 at = head & (capacity_ - 1), span = recordSpan(length), toEnd = capacity_ - at;
    if (span <= toEnd) {
      if (span > capacity_ - used) return nullptr;
      reserved_ = head;
    } else {
      if ((u64)span + toEnd > capacity_ - used) return nullptr;
      memcpy(h_->data + at, &kSkip, 4);
      reserved_ = head + toEnd;
    }
    return h_->data + (reserved_ & (capacity_ - 1)) + 4;
  }
  void commit(u32 length) {
    memcpy(h_->data + (reserved_ & (capacity_ - 1)), &length, 4);
    h_->frames += 1;
    h_->bytes += length - kVirtioHeaderBytes;
    __atomic_store_n(&h_->head, reserved_ + recordSpan(length), __ATOMIC_SEQ_CST);
  }
  void drop() { h_->dropped += 1; }
  /** True once for each time the consumer fell asleep: it is to be woken. */
  bool mustWakeConsumer() {
    return __atomic_load_n(&h_->consumerSleeps, __ATOMIC_SEQ_CST) && __atomic_exchange_n(&h_->consumerSleeps, 0, __ATOMIC_SEQ_CST);
  }
  void setProducerWaits(bool waits) { __atomic_store_n(&h_->producerWaits, waits ? 1 : 0, __ATOMIC_SEQ_CST); }

  // Consumer: the oldest record, or null. What lies in the ring is checked before use.
  u8 *peek(u32 *length) {
    for (;;) {
      u32 tail = __atomic_load_n(&h_->tail, __ATOMIC_RELAXED);
      const u32 used = __atomic_load_n(&h_->head, __ATOMIC_SEQ_CST) - tail;
      if (used == 0) return nullptr;
      const u32 at = tail & (capacity_ - 1), toEnd = capacity_ - at;
      u32 n = 0;
      if (used <= capacity_ && at % kRecordAlign == 0) memcpy(&n, h_->data + at, 4);
      if (n == kSkip && toEnd <= used) {
        __atomic_store_n(&h_->tail, tail + toEnd, __ATOMIC_SEQ_CST);
        continue;
      }
      if (n < kVirtioHeaderBytes + kMinFrameBytes || n > kMaxRecordBytes || recordSpan(n) > used || recordSpan(n) > toEnd) {
        __atomic_store_n(&h_->tail, tail + used, __ATOMIC_SEQ_CST);  // damaged: start afresh
        return nullptr;
      }
      *length = n;
      return h_->data + at + 4;
    }
  }
  void pop(u32 length) {
    const u32 tail = __atomic_load_n(&h_->tail, __ATOMIC_RELAXED);
    __atomic_store_n(&h_->tail, tail + recordSpan(length), __ATOMIC_SEQ_CST);
  }
  /** Announces sleep; false when there is something to take after all. */
  bool sleep() {
    __atomic_store_n(&h_->consumerSleeps, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&h_->head, __ATOMIC_SEQ_CST) == __atomic_load_n(&h_->tail, __ATOMIC_RELAXED)) return true;
    __atomic_store_n(&h_->consumerSleeps, 0, __ATOMIC_SEQ_CST);
    return false;
  }
  /** True when the producer waits for room and at least half of the ring is free: it is to be woken. */
  bool mustWakeProducer() {
    if (!__atomic_load_n(&h_->producerWaits, __ATOMIC_SEQ_CST)) return false;
    const u32 used = __atomic_load_n(&h_->head, __ATOMIC_SEQ_CST) - __atomic_load_n(&h_->tail, __ATOMIC_RELAXED);
    return used <= capacity_ / 2 && __atomic_exchange_n(&h_->producerWaits, 0, __ATOMIC_SEQ_CST);
  }

 private:
  RingHeader *h_ = nullptr;
  u32 capacity_ = 0;
  u32 reserved_ = 0;
};

}  // namespace godwit
