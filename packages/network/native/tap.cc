// TAP interfaces, bridges, sockets and wake-ups: system calls that Node does not offer.
// Nothing here decides; each function answers 0 or more, or -errno, and tap.ts finds the words.
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "addon.h"

namespace godwit {

static bool putName(char (&to)[IFNAMSIZ], const Text &name) {
  const size_t n = strlen(name.at);
  if (n == 0 || n >= IFNAMSIZ) return false;
  memcpy(to, name.at, n + 1);
  return true;
}

// What each TAP of ours is set to, however it was opened. Persistence is left alone.
static int prepare(int fd) {
  int headerBytes = kVirtioHeaderBytes;
  if (ioctl(fd, TUNSETVNETHDRSZ, &headerBytes) != 0) return -errno;
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return -errno;
  return 0;
}

// tapAttach(fd of /dev/net/tun, name): joins the interface, or makes it if there is none of that name
napi_value tapAttach(napi_env env, napi_callback_info info) {
  ARGS(2);
  const int fd = (int)argU32(env, argv[0]);
  struct ifreq request = {};
  if (!putName(request.ifr_name, argText(env, argv[1]))) return num(env, -EINVAL);
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if (ioctl(fd, TUNSETIFF, &request) != 0) return num(env, -errno);
  return num(env, prepare(fd));
}

// tapName(fd): the interface behind an open descriptor, once it is prepared; or -errno, -ENOTSUP if it is no TAP with our framing
napi_value tapName(napi_env env, napi_callback_info info) {
  ARGS(1);
  const int fd = (int)argU32(env, argv[0]);
  struct ifreq request = {};
  if (ioctl(fd, TUNGETIFF, &request) != 0) return num(env, -errno);
  const int want = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if ((request.ifr_flags & want) != want) return num(env, -ENOTSUP);
  if (const int error = prepare(fd)) return num(env, error);
  napi_value name;
  napi_create_string_utf8(env, request.ifr_name, strnlen(request.ifr_name, IFNAMSIZ), &name);
  return name;
}

// tapSetOffload(fd, bits): 1 checksums, 2 TCP over IPv4, 4 TCP over IPv6, 8 ECN; what the kernel may leave to the guest
napi_value tapSetOffload(napi_env env, napi_callback_info info) {
  ARGS(2);
  static_assert(TUN_F_CSUM == 1 && TUN_F_TSO4 == 2 && TUN_F_TSO6 == 4 && TUN_F_TSO_ECN == 8, "linux/if_tun.h");
  const unsigned long bits = argU32(env, argv[1]) & 15;
  return num(env, ioctl((int)argU32(env, argv[0]), TUNSETOFFLOAD, bits) == 0 ? 0 : -errno);
}

template <typename Change>
static int withSocket(const Text &interface, Change change) {
  struct ifreq request = {};
  if (!putName(request.ifr_name, interface)) return -EINVAL;
  const int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (s < 0) return -errno;
  const int result = change(s, &request) == 0 ? 0 : -errno;
  close(s);
  return result;
}

// bridgeAdd(bridge, interface): -EBUSY if it is in a bridge already
napi_value bridgeAdd(napi_env env, napi_callback_info info) {
  ARGS(2);
  struct ifreq port = {};
  if (!putName(port.ifr_name, argText(env, argv[1]))) return num(env, -EINVAL);
  return num(env, withSocket(argText(env, argv[0]), [&](int s, struct ifreq *bridge) {
    if (ioctl(s, SIOCGIFINDEX, &port) != 0) return -1;
    bridge->ifr_ifindex = port.ifr_ifindex;
    return ioctl(s, SIOCBRADDIF, bridge);
  }));
}

// linkUp(interface)
napi_value linkUp(napi_env env, napi_callback_info info) {
  ARGS(1);
  return num(env, withSocket(argText(env, argv[0]), [](int s, struct ifreq *request) {
    if (ioctl(s, SIOCGIFFLAGS, request) != 0) return -1;
    if (request->ifr_flags & IFF_UP) return 0;
    request->ifr_flags |= IFF_UP;
    return ioctl(s, SIOCSIFFLAGS, request);
  }));
}

// openBell(): an eventfd; any thread of the process can ring it
napi_value openBell(napi_env env, napi_callback_info) {
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return num(env, fd < 0 ? -errno : fd);
}

// ringBell(fd): wakes the pump; one system call
napi_value ringBell(napi_env env, napi_callback_info info) {
  ARGS(1);
  const u64 one = 1;
  while (write((int)argU32(env, argv[0]), &one, sizeof one) < 0 && errno == EINTR) {
  }
  return nullptr;
}

// unixConnect(path): a connected, non-blocking stream socket
napi_value unixConnect(napi_env env, napi_callback_info info) {
  ARGS(1);
  const Text path = argText(env, argv[0]);
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const size_t n = strlen(path.at);
  if (n == 0 || n >= sizeof address.sun_path) return num(env, -ENAMETOOLONG);
  memcpy(address.sun_path, path.at, n + 1);
  const int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (s < 0) return num(env, -errno);
  const int bytes = 1 << 20;  // bursts of large frames; the kernel caps it at net.core.wmem_max
  setsockopt(s, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  if (connect(s, (struct sockaddr *)&address, sizeof address) != 0) {
    const int error = errno;
    close(s);
    return num(env, -error);
  }
  return num(env, s);
}

// limitFiles(count): lowers this process's limit of open files
napi_value limitFiles(napi_env env, napi_callback_info info) {
  ARGS(1);
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return num(env, -errno);
  const rlim_t count = argU32(env, argv[0]);
  if (limit.rlim_cur > count) limit.rlim_cur = count;
  return num(env, setrlimit(RLIMIT_NOFILE, &limit) == 0 ? 0 : -errno);
}

}  // namespace godwit
