// The lease's deadline as the last gate before a write leaves this process: one
// 64-bit cell in shared memory, nanoseconds of CLOCK_BOOTTIME, written by the
// lease (lease-holder.ts) and read here right before the system call. A process
// that was stopped with writes queued thus drops them when it wakes.
#pragma once
#include <stdint.h>
#include <time.h>

namespace godwit {

// CLOCK_BOOTTIME also runs while the host is suspended.
inline int64_t bootTimeNs() {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// Null: no guard.
inline bool guardAllows(const int64_t *deadline) {
  return !deadline || bootTimeNs() < __atomic_load_n(deadline, __ATOMIC_ACQUIRE);
}

// The error of a write that the guard stopped; no file system gives it.
constexpr int kFenced = 125;  // ECANCELED

}  // namespace godwit
