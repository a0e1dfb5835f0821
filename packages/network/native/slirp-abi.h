// The part of libslirp's binary interface that is used here, as facts: library
// versions 4.7 and later of so-version 0, configuration version 4. The library
// is opened at run time, so that nothing of it is needed to build.
#pragma once
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

namespace godwit {

struct SlirpStack;  // opaque

enum { kSlirpIn = 1, kSlirpOut = 2, kSlirpPri = 4, kSlirpErr = 8, kSlirpHup = 16 };

typedef void (*SlirpTimerCall)(void *timerData);
typedef int (*SlirpAddPoll)(int fd, int events, void *opaque);
typedef int (*SlirpGetEvents)(int index, void *opaque);

struct SlirpCallbacks {
  ssize_t (*sendPacket)(const void *frame, size_t length, void *opaque);
  void (*guestError)(const char *message, void *opaque);
  int64_t (*clockNs)(void *opaque);
  void *(*timerNew)(SlirpTimerCall call, void *timerData, void *opaque);
  void (*timerFree)(void *timer, void *opaque);
  void (*timerSetMs)(void *timer, int64_t expireMs, void *opaque);
  void (*registerFd)(int fd, void *opaque);
  void (*unregisterFd)(int fd, void *opaque);
  void (*notify)(void *opaque);
  // from configuration version 4 on
  void (*initCompleted)(SlirpStack *stack, void *opaque);
  void *(*timerNewById)(int id, void *timerData, void *opaque);  // null: timerNew is used
};

struct SlirpSettings {
  uint32_t version;
  int restricted;
  bool ipv4;
  struct in_addr network, netmask, host;
  bool ipv6;
  struct in6_addr prefix6;
  uint8_t prefix6Bits;
  struct in6_addr host6;
  const char *hostName, *tftpServerName, *tftpPath, *bootFile;
  struct in_addr dhcpStart, nameServer;
  struct in6_addr nameServer6;
  const char **dnsSearch;
  const char *domainName;
  size_t mtu, mru;  // 0: 1500
  bool disableHostLoopback, enableEmulation;
  struct sockaddr_in *outboundAddress;    // version 2
  struct sockaddr_in6 *outboundAddress6;
  bool disableDns;   // version 3
  bool disableDhcp;  // version 4
};
// Offsets as a C compiler lays the public structure out on x86-64.
static_assert(offsetof(SlirpSettings, hostName) == 64 && offsetof(SlirpSettings, dhcpStart) == 96, "libslirp 4.7");
static_assert(offsetof(SlirpSettings, mtu) == 136 && sizeof(SlirpSettings) == 184, "libslirp 4.7");

struct SlirpLibrary {
  const char *(*versionString)();
  SlirpStack *(*create)(const SlirpSettings *, const SlirpCallbacks *, void *opaque);
  void (*cleanup)(SlirpStack *);
  void (*fill)(SlirpStack *, uint32_t *timeoutMs, SlirpAddPoll, void *opaque);
  void (*poll)(SlirpStack *, int failed, SlirpGetEvents, void *opaque);
  void (*input)(SlirpStack *, const uint8_t *frame, int length);
  int (*addForward)(SlirpStack *, int udp, struct in_addr host, int hostPort, struct in_addr guest, int guestPort);
  int (*removeForward)(SlirpStack *, int udp, struct in_addr host, int hostPort);
  char *(*connectionInfo)(SlirpStack *);  // to be freed
};

}  // namespace godwit
