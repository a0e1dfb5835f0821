// libslirp on the event loop. It may die by its own assertions, so it runs in the usernet process only.
//
//   prepare: ask it which descriptors it waits for ──► an epoll set, itself polled by libuv
//   (the loop sleeps: that set, other sockets, our timer)
//   check:   due timers, then tell it which descriptors are ready; frames it sent go to JavaScript in one call
//
// Where the epoll set missed a change (a descriptor closed and its number taken
// again), the look-around each kLookAroundMs finds it: lost is time, nothing else.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include <string>
#include <vector>

#include "addon.h"
#include "slirp-abi.h"

namespace godwit {

enum SlirpEvent { kFrames = 0, kGuestError = 1 };
constexpr int64_t kLookAroundMs = 500;
constexpr u32 kMaxWaitMs = 10'000;

struct Timer {
  SlirpTimerCall call;
  void *data;
  int64_t expireMs;
};

static int64_t nowNs() {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ll + t.tv_nsec;
}

class Slirp : public Engine {
 public:
  Addon *addon;
  u32 id;
  napi_ref callback, outRef;
  u8 *out;
  u64 outBytes;
  SlirpLibrary library;
  SlirpStack *stack = nullptr;

  Slirp *slirp() override { return closed_ ? nullptr : this; }
  double dropped() override { return dropped_; }

  const char *start(const SlirpSettings &settings) {
    static const SlirpCallbacks callbacks = {
        [](const void *frame, size_t length, void *self) { return ((Slirp *)self)->send((const u8 *)frame, length); },
        [](const char *, void *self) { ((Slirp *)self)->guestErrors_++; },
        [](void *) { return nowNs(); },
        [](SlirpTimerCall call, void *data, void *self) -> void * {
          Timer *t = new Timer{call, data, INT64_MAX};
          ((Slirp *)self)->timers_.push_back(t);
          return t;
        },
        [](void *timer, void *self) { ((Slirp *)self)->freeTimer((Timer *)timer); },
        [](void *timer, int64_t ms, void *) { ((Timer *)timer)->expireMs = ms; },
        [](int, void *) {},
        [](int fd, void *self) { ((Slirp *)self)->forget(fd); },
        [](void *) {},  // one thread: whoever changed something is followed by prepare
        [](SlirpStack *, void *) {},
        nullptr,
    };
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) return "no file descriptor is left";
    stack = library.create(&settings, &callbacks, this);
    if (!stack) return "the library refused its settings";
    uv_prepare_init(addon->loop, &prepare_);
    uv_check_init(addon->loop, &check_);
    uv_timer_init(addon->loop, &timer_);
    handles_ = 3;
    prepare_.data = check_.data = timer_.data = ready_.data = this;
    if (uv_poll_init(addon->loop, &ready_, epoll_) != 0) return "the event loop refused";
    handles_ = 4;
    uv_prepare_start(&prepare_, [](uv_prepare_t *h) { ((Slirp *)h->data)->fill(); });
    uv_check_start(&check_, [](uv_check_t *h) { ((Slirp *)h->data)->poll(); });
    uv_poll_start(&ready_, UV_READABLE, [](uv_poll_t *h, int, int) { ((Slirp *)h->data)->anyReady_ = true; });
    return nullptr;
  }

  void close() override {
    if (closed_) return;
    closed_ = true;
    if (stack) library.cleanup(stack);
    if (epoll_ >= 0 && handles_ < 4) ::close(epoll_);
    if (handles_ == 0) return delete this;
    const auto done = [](uv_handle_t *h) {
      Slirp *s = (Slirp *)h->data;
      if (--s->handles_ > 0) return;
      ::close(s->epoll_);
      delete s;
    };
    const bool all = handles_ == 4;
    uv_close((uv_handle_t *)&prepare_, done);
    uv_close((uv_handle_t *)&check_, done);
    uv_close((uv_handle_t *)&timer_, done);
    if (all) uv_close((uv_handle_t *)&ready_, done);
  }

  ~Slirp() override {
    for (Timer *t : timers_) delete t;
    if (!addon->ending)
      for (napi_ref r : {callback, outRef}) napi_delete_reference(addon->env, r);
    addon->gone(id);
  }

  // Frames of a batch, each behind its length, big-endian. What is left after a wrong length is not looked at.
  u32 input(const u8 *p, u64 bytes) {
    u32 count = 0;
    while (bytes >= 4) {
      const u32 n = (u32)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
      if (n < kMinFrameBytes || n > kMaxFrameBytes || n > bytes - 4) break;
      library.input(stack, p + 4, (int)n);
      p += 4 + n, bytes -= 4 + n, count++;
    }
    flush();
    return count;
  }

  void flush() {
    if (outTo_ == 0 || closed_) return;
    const u32 n = outTo_;
    outTo_ = 0;  // first: what Node runs after the callback may give us frames again
    callBack(addon->env, callback, kFrames, n);
  }

 private:
  uv_prepare_t prepare_;
  uv_check_t check_;
  uv_timer_t timer_;
  uv_poll_t ready_;
  int handles_ = 0, epoll_ = -1;
  bool closed_ = false, anyReady_ = false;
  int64_t lookedMs_ = 0;
  u32 outTo_ = 0;
  double dropped_ = 0, guestErrors_ = 0;
  std::vector<Timer *> timers_;
  std::vector<struct pollfd> polled_;
  struct Watch {
    int events;
    u32 round;
  };
  std::unordered_map<int, Watch> watched_;
  u32 round_ = 0;

  ssize_t send(const u8 *frame, size_t length) {
    if (length < kMinFrameBytes || length > kMaxFrameBytes) return (ssize_t)length;
    // Never a call to JavaScript from inside the library: what has no room is dropped, and TCP sends it again.
    if (closed_ || outTo_ + 4 + length > outBytes) return dropped_++, (ssize_t)length;
    const u32 n = htonl((u32)length);
    memcpy(out + outTo_, &n, 4);
    memcpy(out + outTo_ + 4, frame, length);
    outTo_ += 4 + (u32)length;
    return (ssize_t)length;
  }

  void freeTimer(Timer *t) {
    for (auto &slot : timers_)
      if (slot == t) {
        slot = timers_.back();
        timers_.pop_back();
        delete t;
        return;
      }
  }

  void forget(int fd) {
    if (watched_.erase(fd)) epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  }

  static int toPoll(int events) {
    return (events & kSlirpIn ? POLLIN : 0) | (events & kSlirpOut ? POLLOUT : 0) | (events & kSlirpPri ? POLLPRI : 0);
  }

  void fill() {
    if (closed_) return;
    polled_.clear();
    round_++;
    u32 waitMs = kMaxWaitMs;
    library.fill(stack, &waitMs, [](int fd, int events, void *self) { return ((Slirp *)self)->add(fd, events); }, this);
    for (auto it = watched_.begin(); it != watched_.end();) {
      if (it->second.round == round_) {
        ++it;
        continue;
      }
      epoll_ctl(epoll_, EPOLL_CTL_DEL, it->first, nullptr);
      it = watched_.erase(it);
    }
    int64_t soonest = waitMs > kMaxWaitMs ? kMaxWaitMs : waitMs;
    if (!polled_.empty() && soonest > kLookAroundMs) soonest = kLookAroundMs;
    const int64_t now = nowNs() / 1000000;
    for (const Timer *t : timers_)
      if (t->expireMs - now < soonest) soonest = t->expireMs > now ? t->expireMs - now : 0;
    uv_update_time(addon->loop);
    uv_timer_start(&timer_, [](uv_timer_t *) {}, (u64)soonest, 0);
  }

  int add(int fd, int events) {
    polled_.push_back({fd, (short)toPoll(events), 0});
    const int wanted = toPoll(events);
    const auto found = watched_.find(fd);
    if (found == watched_.end() || found->second.events != wanted) {
      struct epoll_event e = {};
      e.events = (u32)wanted;  // POLLIN, POLLOUT and POLLPRI have epoll's values
      e.data.fd = fd;
      if (epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &e) != 0 && errno == ENOENT) epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &e);
    }
    watched_[fd] = {wanted, round_};
    return (int)polled_.size() - 1;
  }

  int eventsOf(int index) const {
    if (index < 0 || (size_t)index >= polled_.size()) return 0;
    const int r = polled_[(size_t)index].revents;
    return (r & POLLIN ? kSlirpIn : 0) | (r & POLLOUT ? kSlirpOut : 0) | (r & POLLPRI ? kSlirpPri : 0) |
           (r & POLLERR ? kSlirpErr : 0) | (r & POLLHUP ? kSlirpHup : 0);
  }

  void poll() {
    if (closed_) return;
    const int64_t now = nowNs() / 1000000;
    for (size_t i = 0; i < timers_.size(); i++) {
      Timer *t = timers_[i];
      if (t->expireMs > now) continue;
      t->expireMs = INT64_MAX;
      t->call(t->data);
    }
    int failed = 0;
    if (anyReady_ || now - lookedMs_ >= kLookAroundMs) {
      anyReady_ = false;
      lookedMs_ = now;
      failed = ::poll(polled_.data(), polled_.size(), 0) < 0;
    }
    library.poll(stack, failed, [](int index, void *self) { return ((Slirp *)self)->eventsOf(index); }, this);
    polled_.clear();
    flush();
  }
};

// A library that was unpacked somewhere of its own finds what it needs beside itself.
static void openNeighbours(const std::string &path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return;
  for (const char *name : {"libpcre2-8.so.0", "libglib-2.0.so.0"}) {
    const std::string neighbour = path.substr(0, slash + 1) + name;
    if (access(neighbour.c_str(), R_OK) == 0) dlopen(neighbour.c_str(), RTLD_NOW | RTLD_GLOBAL);
  }
}

static bool openLibrary(const char *path, SlirpLibrary *l, std::string *error) {
  void *handle = dlopen(path, RTLD_NOW);
  if (!handle) {
    openNeighbours(path);
    handle = dlopen(path, RTLD_NOW);
  }
  if (!handle) return *error = dlerror(), false;
  const struct { const char *name; void **to; } symbols[] = {
      {"slirp_version_string", (void **)&l->versionString}, {"slirp_new", (void **)&l->create},
      {"slirp_cleanup", (void **)&l->cleanup},              {"slirp_pollfds_fill", (void **)&l->fill},
      {"slirp_pollfds_poll", (void **)&l->poll},            {"slirp_input", (void **)&l->input},
      {"slirp_add_hostfwd", (void **)&l->addForward},       {"slirp_remove_hostfwd", (void **)&l->removeForward},
      {"slirp_connection_info", (void **)&l->connectionInfo},
  };
  for (const auto &s : symbols)
    if (!(*s.to = dlsym(handle, s.name))) return *error = dlerror(), false;
  int major = 0, minor = 0;
  if (sscanf(l->versionString(), "%d.%d", &major, &minor) != 2 || major != 4 || minor < 7) {
    *error = std::string("version ") + l->versionString() + " is not known: 4.7 or a later 4.x is needed";
    return false;
  }
  return true;
}

static struct in_addr address(u32 hostOrder) {
  struct in_addr a;
  a.s_addr = htonl(hostOrder);
  return a;
}

// slirpStart(library, network, prefixBits, flags, out, callback(event, value)): its id, or in words why not.
// flags: 1 restricted, 2 no way to the host's loopback, 4 no DNS
napi_value slirpStart(napi_env env, napi_callback_info info) {
  ARGS(6);
  Slirp *s = new Slirp();
  std::string error;
  if (!argBytes(env, argv[4], &s->out, &s->outBytes) || s->outBytes < kMaxFrameBytes + 4) error = "the frame buffer is too small";
  else openLibrary(argText(env, argv[0]).at, &s->library, &error);
  const u32 network = argU32(env, argv[1]), bits = argU32(env, argv[2]), flags = argU32(env, argv[3]);
  if (error.empty() && (bits < 8 || bits > 27)) error = "the network's prefix is not between 8 and 27 bits";
  s->addon = addonOf(env);
  s->id = s->addon->nextId++;
  napi_create_reference(env, argv[4], 1, &s->outRef);
  napi_create_reference(env, argv[5], 1, &s->callback);
  s->addon->engines[s->id] = s;
  const u32 id = s->id;
  if (error.empty()) {
    SlirpSettings settings = {};
    settings.version = 4;
    settings.restricted = flags & 1;
    settings.ipv4 = true;
    settings.network = address(network);
    settings.netmask = address(~0u << (32 - bits));
    settings.host = address(network + 2);
    settings.nameServer = address(network + 3);
    settings.dhcpStart = address(network + 15);
    settings.disableHostLoopback = flags & 2;
    settings.disableDns = flags & 4;
    if (const char *why = s->start(settings)) error = why;
  }
  if (error.empty()) return num(env, id);
  s->close();
  napi_value text;
  napi_create_string_utf8(env, error.c_str(), NAPI_AUTO_LENGTH, &text);
  return text;
}

static Slirp *slirpOf(napi_env env, napi_value id) {
  Addon *addon = addonOf(env);
  const auto found = addon->engines.find(argU32(env, id));
  return found == addon->engines.end() ? nullptr : found->second->slirp();
}

// slirpInput(id, frames): how many frames of the batch were taken
napi_value slirpInput(napi_env env, napi_callback_info info) {
  ARGS(2);
  u8 *data;
  u64 bytes;
  Slirp *s = slirpOf(env, argv[0]);
  return num(env, s && argBytes(env, argv[1], &data, &bytes) ? s->input(data, bytes) : 0);
}

// slirpForward(id, add, udp, hostAddress, hostPort, guestAddress, guestPort): 0 or -errno
napi_value slirpForward(napi_env env, napi_callback_info info) {
  ARGS(7);
  Slirp *s = slirpOf(env, argv[0]);
  if (!s) return num(env, -EBADF);
  const int udp = argBool(env, argv[2]), hostPort = (int)argU32(env, argv[4]), guestPort = (int)argU32(env, argv[6]);
  const struct in_addr host = address(argU32(env, argv[3])), guest = address(argU32(env, argv[5]));
  errno = 0;
  const int result = argBool(env, argv[1]) ? s->library.addForward(s->stack, udp, host, hostPort, guest, guestPort)
                                           : s->library.removeForward(s->stack, udp, host, hostPort);
  return num(env, result == 0 ? 0 : errno ? -errno : -ENOENT);
}

// slirpConnections(id): the library's own table, as text
napi_value slirpConnections(napi_env env, napi_callback_info info) {
  ARGS(1);
  Slirp *s = slirpOf(env, argv[0]);
  char *table = s ? s->library.connectionInfo(s->stack) : nullptr;
  napi_value text;
  napi_create_string_utf8(env, table ? table : "", NAPI_AUTO_LENGTH, &text);
  free(table);
  return text;
}

}  // namespace godwit
