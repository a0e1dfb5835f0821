// The vCPU state block as C++ sees it: the twin of packages/cpu/src/layout.ts,
// same names in the same order. `kStateFields` is handed to TypeScript at load,
// which refuses to start when the two disagree.
#pragma once
#include <cstddef>
#include <cstdint>

namespace godwit {

using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
using i32 = int32_t;

struct Segment {
  u32 selector, base, limit, access;
};

enum SegIndex { ES, CS, SS, DS, FS, GS, LDTR, TR };
enum Reg { EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI };

struct State {
  alignas(8) u32 gpr[8];
  u32 eip;
  u32 eflags;
  alignas(8) Segment segments[8];
  u32 gdtrBase, gdtrLimit, idtrBase, idtrLimit;
  u32 cr0, cr2, cr3, cr4;
  alignas(8) u32 dr[8];
  u32 cpl, interruptShadow, halted, efer;
  u32 sysenterCs, sysenterEsp, sysenterEip;
  u32 patLow, patHigh, miscEnable, apicBase;
  alignas(8) u64 tscOffset;
  u64 tscScale;
  u32 xcr0, tlbGeneration;
  u32 exitReason, exitVector, exitErrorCode, exitHasErrorCode, exitAddress;
  alignas(8) u64 exitHostRip;
  u32 exitArg0, exitArg1;
  u32 ifCell, sysFlags, interruptPending, modeKey, kicked;
  alignas(8) u64 windowBase;
  u64 tableBase, codeBase, hostRsp, rawFlags;
  u64 quadrantBase[4];
  u64 segmentBasePointer[6];
  u64 spill[16];
  u64 callout[32];
  u64 counters[64];
  u8 reserved[512];
};

constexpr size_t kXsaveOffset = 4096;
constexpr size_t kScratchOffset = 8192;
constexpr size_t kQuadrantIndexOffset = 12288;
constexpr size_t kSoftReadTags = 16384, kSoftWriteTags = 17408, kSoftReadDeltas = 18432, kSoftWriteDeltas = 20480;
constexpr size_t kStateSize = 32768;
static_assert(sizeof(State) <= kXsaveOffset, "state block overflows into the XSAVE area");

struct FieldInfo {
  const char *name;
  u32 offset;
};
#define F(n) {#n, (u32)offsetof(State, n)}
constexpr FieldInfo kStateFields[] = {
    F(gpr), F(eip), F(eflags), F(segments), F(gdtrBase), F(gdtrLimit), F(idtrBase), F(idtrLimit),
    F(cr0), F(cr2), F(cr3), F(cr4), F(dr), F(cpl), F(interruptShadow), F(halted), F(efer),
    F(sysenterCs), F(sysenterEsp), F(sysenterEip), F(patLow), F(patHigh), F(miscEnable), F(apicBase),
    F(tscOffset), F(tscScale), F(xcr0), F(tlbGeneration), F(exitReason), F(exitVector), F(exitErrorCode),
    F(exitHasErrorCode), F(exitAddress), F(exitHostRip), F(exitArg0), F(exitArg1), F(ifCell),
    F(sysFlags), F(interruptPending), F(modeKey), F(kicked), F(windowBase), F(tableBase), F(codeBase),
    F(hostRsp), F(rawFlags), F(quadrantBase), F(segmentBasePointer), F(spill), F(callout), F(counters),
    F(reserved),
};
#undef F

enum ExitReason : u32 {
  kNone, kMiss, kInterpret, kException, kKick, kHalt, kUserAccess, kCacheFull, kTripleFault
};

enum Callout {
  kCalloutMiss, kCalloutChain, kCalloutInterpret, kCalloutInt, kCalloutIret, kCalloutSysenter,
  kCalloutSysexit, kCalloutLoadSegment, kCalloutWriteCr3, kCalloutInvlpg, kCalloutRdtsc,
  kCalloutPopf, kCalloutAttention, kCalloutVerify, kCalloutSoftMiss, kCalloutCount
};

enum Counter {
  cFaults, cFaultMaps, cFaultGuest, cFaultInterpret, cMisses, cChains, cSelfModified, cCallouts,
  cInterrupts, cIrets, cCr3Writes, cInvlpgs, cPagesUnmapped, cLargeMaps, cKicks, cSegmentLoads, cRuns,
  cWindowEvictions, cProtectCalls, cFlushes, cNativeFaultDeliveries, cEagerMaps, cSoftMisses, cWarmUsed, cWarmStale,
  cBlocksHeld, cBlocksSelfModified
};

// EFLAGS that live in the host's flags while guest code runs: CF PF AF ZF SF DF OF.
constexpr u32 kHostFlags = 0xCD5;
constexpr u32 kFlagTF = 0x100, kFlagIF = 0x200, kFlagNT = 0x4000, kFlagRF = 0x10000, kFlagVM = 0x20000,
              kFlagAC = 0x40000;
constexpr u32 kCr0PE = 1, kCr0EM = 4, kCr0TS = 8, kCr0WP = 0x10000, kCr0AM = 0x40000, kCr0PG = 0x80000000u;
constexpr u32 kCr4PSE = 0x10, kCr4PAE = 0x20, kCr4PGE = 0x80;

// The guest's TSC runs at the rate it booted with, on whatever host it is now.
inline u64 scaleTsc(const State *s, u64 hostTsc) { return (u64)((unsigned __int128)hostTsc * s->tscScale >> 32); }

}  // namespace godwit
