#include "offload.h"

namespace godwit {

static u16 be16(const u8 *p) { return (u16)(p[0] << 8 | p[1]); }
static u32 be32(const u8 *p) { return (u32)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }
static void put16(u8 *p, u32 v) { p[0] = (u8)(v >> 8), p[1] = (u8)v; }
static void put32(u8 *p, u32 v) { p[0] = (u8)(v >> 24), p[1] = (u8)(v >> 16), p[2] = (u8)(v >> 8), p[3] = (u8)v; }

// Sum of 16-bit words for the Internet checksum (RFC 1071), in host order: the fold commutes with byte order.
static u64 sum(const u8 *p, u32 n, u64 s) {
  u32 w;
  for (; n >= 4; p += 4, n -= 4) {
    memcpy(&w, p, 4);
    s += w;
  }
  if (n >= 2) {
    u16 h;
    memcpy(&h, p, 2);
    s += h;
    p += 2, n -= 2;
  }
  return n ? s + *p : s;
}
static u16 fold(u64 s) {
  while (s >> 16) s = (s & 0xFFFF) + (s >> 16);
  return (u16)s;
}
static void putSum(u8 *p, u16 v) { memcpy(p, &v, 2); }

// Where the headers of a frame lie.
struct Layout {
  u32 ip;         // offset of the IP header
  u32 transport;  // offset of TCP or UDP
  u32 end;        // where IP says that it ends
  u8 protocol;
  bool v6;
};
static bool parse(const u8 *f, u32 length, Layout *l) {
  u32 at = 12;
  if (length < 18) return false;
  if (be16(f + at) == 0x8100) at += 4;
  const u16 type = be16(f + at);
  l->ip = at + 2;
  if (type == 0x0800) {
    if (l->ip + 20 > length) return false;
    const u32 headerBytes = (f[l->ip] & 15) * 4u;
    l->v6 = false;
    l->protocol = f[l->ip + 9];
    l->transport = l->ip + headerBytes;
    l->end = l->ip + be16(f + l->ip + 2);
    return f[l->ip] >> 4 == 4 && headerBytes >= 20 && l->transport <= length;
  }
  if (type == 0x86DD) {
    if (l->ip + 40 > length) return false;
    l->v6 = true;
    l->protocol = f[l->ip + 6];  // extension headers: not known, not segmented
    l->transport = l->ip + 40;
    l->end = l->transport + be16(f + l->ip + 4);
    return f[l->ip] >> 4 == 6;
  }
  return false;
}
static u64 pseudoSum(const u8 *f, const Layout &l, u32 bytes) {
  u8 tail[4] = {0, l.protocol, (u8)(bytes >> 8), (u8)bytes};
  const u64 s = l.v6 ? sum(f + l.ip + 8, 32, 0) : sum(f + l.ip + 12, 8, 0);
  return sum(tail, 4, s);
}

static u32 emitPlain(const u8 *frame, u32 length, const VirtioHeader &h, u8 *out) {
  put32(out, length);
  memcpy(out + 4, frame, length);
  if (h.flags & kNeedsCsum) {
    const u32 start = h.csumStart, field = start + h.csumOffset;
    if (start >= length || field + 2 > length) return 0;
    // The field holds the pseudo header's sum already.
    u16 c = (u16)~fold(sum(frame + start, length - start, 0));
    if (c == 0) c = 0xFFFF;  // RFC 768: a UDP checksum of 0 means none; for TCP both are 0
    putSum(out + 4 + field, c);
  }
  return 4 + length;
}

static u32 segment(const u8 *f, u32 length, const VirtioHeader &h, u8 *out) {
  Layout l;
  if (!parse(f, length, &l) || l.protocol != 6 || l.transport + 20 > length) return 0;
  if (l.v6 != ((h.gsoType & ~kGsoEcn) == kGsoTcp6)) return 0;
  const u32 tcpBytes = (f[l.transport + 12] >> 4) * 4u, headers = l.transport + tcpBytes;
  if (tcpBytes < 20 || headers > length || headers > kMaxHeaderBytes || h.gsoSize == 0) return 0;
  const u32 payload = length - headers, count = (payload + h.gsoSize - 1) / h.gsoSize;
  if (count == 0 || count > kMaxSegments) return 0;
  const u32 sequence = be32(f + l.transport + 4), id = be16(f + l.ip + 4);
  u8 *o = out;
  for (u32 i = 0; i < count; i++) {
    const u32 from = i * h.gsoSize, n = payload - from < h.gsoSize ? payload - from : h.gsoSize;
    put32(o, headers + n);
    u8 *s = o + 4;
    memcpy(s, f, headers);
    memcpy(s + headers, f + headers + from, n);
    if (l.v6) {
      put16(s + l.ip + 4, tcpBytes + n);
    } else {
      put16(s + l.ip + 2, headers - l.ip + n);
      put16(s + l.ip + 4, id + i);
      put16(s + l.ip + 10, 0);
      putSum(s + l.ip + 10, (u16)~fold(sum(s + l.ip, l.transport - l.ip, 0)));
    }
    u8 *tcp = s + l.transport;
    put32(tcp + 4, sequence + from);
    if (i > 0) tcp[13] &= (u8)~0x80;           // CWR: on the first only (RFC 3168)
    if (i + 1 < count) tcp[13] &= (u8)~0x09;   // FIN, PSH: on the last only
    put16(tcp + 16, 0);
    putSum(tcp + 16, (u16)~fold(sum(tcp, tcpBytes + n, pseudoSum(s, l, tcpBytes + n))));
    o = s + headers + n;
  }
  return (u32)(o - out);
}

// libslirp's own addresses are 52:55 and its IPv4 address. It takes a TCP segment of any length, and hands it to the host
// in one system call; cut into pieces, each would cost one.
static bool toSlirp(const u8 *frame) { return frame[0] == 0x52 && frame[1] == 0x55; }

u32 finishFrame(const u8 *record, u32 recordLength, u8 *out) {
  VirtioHeader h;
  memcpy(&h, record, sizeof h);
  const u8 *frame = record + sizeof h;
  const u32 length = recordLength - kVirtioHeaderBytes;
  switch (h.gsoType & ~kGsoEcn) {
    case kGsoNone: return emitPlain(frame, length, h, out);
    case kGsoTcp4:
      if (toSlirp(frame)) h.gsoSize = 0xFFFF;
      return segment(frame, length, h, out);
    case kGsoTcp6: return segment(frame, length, h, out);
    default: return 0;
  }
}

bool transportChecksumValid(const u8 *f, u32 length) {
  Layout l;
  if (!parse(f, length, &l) || l.v6 || l.end > length || (be16(f + l.ip + 6) & 0x3FFF)) return false;  // no fragments
  const u32 least = l.protocol == 6 ? 20 : l.protocol == 17 ? 8 : 0;
  if (least == 0 || l.transport + least > l.end) return false;
  if (l.protocol == 17 && be16(f + l.transport + 6) == 0) return false;
  return fold(sum(f + l.transport, l.end - l.transport, pseudoSum(f, l, l.end - l.transport))) == 0xFFFF;
}

}  // namespace godwit
