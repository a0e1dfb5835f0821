// What a NIC does for a guest that leaves checksums and TCP segmentation to it,
// for networks that take plain Ethernet frames only.
#pragma once
#include "ring.h"

namespace godwit {

// VIRTIO 1.1, 5.1.6: the header before each frame, little-endian.
struct __attribute__((packed)) VirtioHeader {
  u8 flags, gsoType;
  u16 headerLength, gsoSize, csumStart, csumOffset, numBuffers;
};
static_assert(sizeof(VirtioHeader) == kVirtioHeaderBytes, "VIRTIO 1.1, 5.1.6");
enum : u8 { kNeedsCsum = 1, kDataValid = 2 };
enum : u8 { kGsoNone = 0, kGsoTcp4 = 1, kGsoTcp6 = 4, kGsoEcn = 0x80 };

// A frame is cut into at most this many segments: a guest that asks for segments of a few bytes gets none.
constexpr u32 kMaxSegments = 256;
// Headers of one segment: Ethernet with a VLAN tag, IPv4 with options or IPv6, TCP with options.
constexpr u32 kMaxHeaderBytes = 18 + 60 + 60;
// Most that one record becomes: payload once, headers and a length prefix for each segment.
constexpr u32 kMaxFinishedBytes = kMaxFrameBytes + kMaxSegments * (4 + kMaxHeaderBytes);

// Writes the record's frame as one or more plain frames, each behind its length (4 bytes, big-endian), to `out`,
// which has room for kMaxFinishedBytes. Bytes written; 0: the header makes no sense, the frame is dropped.
u32 finishFrame(const u8 *record, u32 recordLength, u8 *out);

// True when the IPv4 TCP or UDP checksum of a plain frame is right; false also for what it does not know.
bool transportChecksumValid(const u8 *frame, u32 length);

}  // namespace godwit
