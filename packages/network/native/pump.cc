// The frame pump: moves frames between two rings and a TAP or a stream socket,
// on the event loop of the thread that started it. JavaScript is called only to
// wake the other side or to say that the network is gone.
//
//            tx ring ──(bell)──► transmit ──► TAP: one frame a write
//   vCPU                                      socket: many a write, behind 4-byte lengths
//            rx ring ◄─(wake)── receive  ◄──
//
// To wake a sleeping thread costs the vCPU several microseconds (an interrupt to
// an idle processor), so a pump that is rung again and again soon after it fell
// asleep lingers a little before it does so; one that waits in vain stops lingering.
//
// Not enough room in the rx ring stops reading until the consumer rings; a
// network that takes no more stops transmitting until the descriptor is writable.
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "addon.h"
#include "offload.h"

namespace godwit {

enum PumpEvent { kWake = 0, kDown = 1 };
constexpr u32 kTurnFrames = 64;  // frames each way before the loop may do something else
constexpr u32 kOutBytes = 512 << 10;
constexpr u32 kInBytes = 256 << 10;
constexpr int64_t kLingerNs = 30'000;
constexpr int kMostPatience = 8;
static_assert(kOutBytes >= 2 * kMaxFinishedBytes && kInBytes >= 2 * (kMaxFrameBytes + 4), "a frame fits");

static int64_t nowNs() {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ll + t.tv_nsec;
}

class Pump : public Engine {
 public:
  Addon *addon;
  u32 id;
  napi_ref callback, txRef, rxRef;
  Ring tx, rx;
  int fd, bell;
  bool stream;

  int start() {
    if (stream && (!(in_ = (u8 *)malloc(kInBytes)) || !(out_ = (u8 *)malloc(kOutBytes)))) return UV_ENOMEM;
    int error = uv_poll_init(addon->loop, &io_, fd);
    if (error) return error;
    io_.data = this;
    handles_ = 1;
    error = uv_poll_init(addon->loop, &bellPoll_, bell);
    if (!error) {
      bellPoll_.data = this;
      handles_ = 2;
      error = uv_poll_start(&bellPoll_, UV_READABLE, [](uv_poll_t *h, int, int) { ((Pump *)h->data)->onBell(); });
    }
    if (!error) error = watch();
    if (!error) error = ring();  // whatever lies in the tx ring already
    return error;
  }

  void close() override {
    if (closed_) return;
    closed_ = true;
    const auto done = [](uv_handle_t *h) {
      Pump *pump = (Pump *)h->data;
      if (--pump->handles_ == 0) delete pump;
    };
    if (handles_ == 0) return delete this;
    if (handles_ == 2) uv_close((uv_handle_t *)&bellPoll_, done);
    uv_close((uv_handle_t *)&io_, done);
  }

  double dropped() override { return dropped_; }

  ~Pump() override {
    free(in_);
    free(out_);
    if (!addon->ending)
      for (napi_ref r : {callback, txRef, rxRef}) napi_delete_reference(addon->env, r);
    addon->gone(id);
  }

 private:
  uv_poll_t io_, bellPoll_;
  double dropped_ = 0;  // frames from the guest that the network refused
  int handles_ = 0, watched_ = 0;
  bool closed_ = false, failed_ = false;
  int patience_ = 0;      // times that we linger in vain before we stop it
  int64_t sleptNs_ = 0;   // since when the tx ring has been asleep
  bool rxBlocked_ = false, txBlocked_ = false;
  u8 *in_ = nullptr, *out_ = nullptr;
  u32 inFrom_ = 0, inTo_ = 0, outFrom_ = 0, outTo_ = 0;

  // The tx ring is empty. True: asleep; false: there is something after all.
  bool sleep() {
    if (patience_ > 0) {
      const int64_t until = nowNs() + kLingerNs;
      u32 length;
      do {
        sched_yield();
        if (tx.peek(&length)) return false;
      } while (nowNs() < until);
      patience_--;
    }
    if (!tx.sleep()) return false;
    sleptNs_ = nowNs();
    return true;
  }

  int ring() {
    const u64 one = 1;
    return write(bell, &one, sizeof one) < 0 && errno != EAGAIN ? -errno : 0;
  }

  int watch() {
    const int wanted = failed_ ? 0 : (rxBlocked_ ? 0 : UV_READABLE) | (txBlocked_ ? UV_WRITABLE : 0);
    if (closed_ || wanted == watched_) return 0;
    watched_ = wanted;
    if (wanted == 0) return uv_poll_stop(&io_);
    return uv_poll_start(&io_, wanted, [](uv_poll_t *h, int status, int events) { ((Pump *)h->data)->onIo(status, events); });
  }

  void onIo(int status, int events) {
    if (status < 0) return fail(-status);
    if (events & UV_READABLE) receive();
    if ((events & UV_WRITABLE) && !closed_) txBlocked_ = false, transmit();
    watch();
  }

  void onBell() {
    u64 count;
    while (read(bell, &count, sizeof count) < 0 && errno == EINTR) {
    }
    if (failed_) return;
    // Rung soon after we fell asleep: lingering would have spared the vCPU that.
    if (sleptNs_ && nowNs() - sleptNs_ < kLingerNs && patience_ < kMostPatience) patience_ += 2;
    sleptNs_ = 0;
    if (rxBlocked_) rxBlocked_ = false, receive();
    if (!txBlocked_ && !closed_) transmit();
    watch();
  }

  // The network is gone: nothing moves any more, the callback hears why.
  void fail(int error) {
    if (failed_ || closed_) return;
    failed_ = true;
    watch();
    callBack(addon->env, callback, kDown, error);
  }

  void wakeOther() {
    if (!closed_) callBack(addon->env, callback, kWake, 0);
  }

  // Room in the rx ring, or null: then reading rests until the consumer rings the bell.
  u8 *roomFor(u32 bytes) {
    u8 *p = rx.reserve(bytes);
    if (p) return p;
    rx.setProducerWaits(true);
    p = rx.reserve(bytes);  // the consumer may have made room before it could see that we wait
    if (p) rx.setProducerWaits(false);
    else rxBlocked_ = true;
    return p;
  }

  void receive() {
    const int error = stream ? receiveStream() : receiveTap();
    if (rx.mustWakeConsumer()) wakeOther();
    if (error) fail(error);
  }

  int receiveTap() {
    for (u32 i = 0; i < kTurnFrames; i++) {
      u8 *record = roomFor(kMaxRecordBytes);
      if (!record) return 0;
      const ssize_t n = read(fd, record, kMaxRecordBytes);
      if (n < 0) {
        if (errno == EINTR) continue;
        return errno == EAGAIN ? 0 : errno;
      }
      if (n < (ssize_t)(kVirtioHeaderBytes + kMinFrameBytes)) continue;
      setBuffers(record);
      rx.commit((u32)n);
    }
    return 0;
  }

  int receiveStream() {
    for (u32 i = 0; i < kTurnFrames / 8; i++) {
      if (const int error = parse()) return error;
      if (rxBlocked_) return 0;
      memmove(in_, in_ + inFrom_, inTo_ - inFrom_);
      inTo_ -= inFrom_, inFrom_ = 0;
      const ssize_t n = read(fd, in_ + inTo_, kInBytes - inTo_);
      if (n == 0) return ECONNRESET;
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno == EAGAIN ? 0 : errno;
      inTo_ += (u32)n;
    }
    return parse();
  }

  int parse() {
    while (inTo_ - inFrom_ >= 4) {
      const u8 *p = in_ + inFrom_;
      const u32 n = (u32)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
      if (n < kMinFrameBytes || n > kMaxFrameBytes) return EPROTO;
      if (inTo_ - inFrom_ < 4 + n) return 0;
      u8 *record = roomFor(kVirtioHeaderBytes + n);
      if (!record) return 0;
      memset(record, 0, kVirtioHeaderBytes);
      if (transportChecksumValid(p + 4, n)) record[0] = kDataValid;
      setBuffers(record);
      memcpy(record + kVirtioHeaderBytes, p + 4, n);
      rx.commit(kVirtioHeaderBytes + n);
      inFrom_ += 4 + n;
    }
    return 0;
  }

  // VIRTIO 1.1, 5.1.6.4: a frame in one buffer says 1.
  static void setBuffers(u8 *record) { record[10] = 1, record[11] = 0; }

  void transmit() {
    const int error = stream ? transmitStream() : transmitTap();
    if (tx.mustWakeProducer()) wakeOther();
    if (error) fail(error);
  }

  int transmitTap() {
    for (u32 i = 0; i < kTurnFrames;) {
      u32 length;
      const u8 *record = tx.peek(&length);
      if (!record) {
        if (sleep()) return 0;
        continue;
      }
      i++;
      const ssize_t n = write(fd, record, length);
      if (n < 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN) return txBlocked_ = true, 0;
        if (errno == EBADFD || errno == EBADF || errno == ENODEV) return errno;
        dropped_++;  // interface down, a header that makes no sense, no memory
      }
      tx.pop(length);
    }
    ring();  // more next turn
    return 0;
  }

  int transmitStream() {
    for (u32 turn = 0; turn < 8; turn++) {
      if (outFrom_ == outTo_) fill();
      if (outFrom_ == outTo_) {
        if (sleep()) return 0;
        continue;
      }
      const ssize_t n = send(fd, out_ + outFrom_, outTo_ - outFrom_, MSG_NOSIGNAL);
      if (n < 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN) return txBlocked_ = true, 0;
        return errno;
      }
      outFrom_ += (u32)n;
    }
    ring();
    return 0;
  }

  void fill() {
    outFrom_ = outTo_ = 0;
    u32 length;
    for (u32 i = 0; i < kTurnFrames && outTo_ + kMaxFinishedBytes <= kOutBytes; i++) {
      const u8 *record = tx.peek(&length);
      if (!record) return;
      const u32 n = finishFrame(record, length, out_ + outTo_);
      if (n == 0) dropped_++;
      outTo_ += n;
      tx.pop(length);
    }
  }
};

// startPump(fd, stream, bell, tx, rx, callback(event, errno)): its id, or -errno
napi_value startPump(napi_env env, napi_callback_info info) {
  ARGS(6);
  Addon *addon = addonOf(env);
  u8 *tx, *rx;
  u64 txBytes, rxBytes;
  Ring txRing, rxRing;
  if (!argBytes(env, argv[3], &tx, &txBytes) || !argBytes(env, argv[4], &rx, &rxBytes)) return num(env, -EINVAL);
  if (!txRing.attach(tx, txBytes) || !rxRing.attach(rx, rxBytes)) return num(env, -EINVAL);
  Pump *pump = new Pump();
  pump->addon = addon;
  pump->id = addon->nextId++;
  pump->fd = (int)argU32(env, argv[0]);
  pump->stream = argBool(env, argv[1]);
  pump->bell = (int)argU32(env, argv[2]);
  pump->tx = txRing;
  pump->rx = rxRing;
  // SAFETY: the references keep the rings' memory alive until the pump is gone.
  napi_create_reference(env, argv[3], 1, &pump->txRef);
  napi_create_reference(env, argv[4], 1, &pump->rxRef);
  napi_create_reference(env, argv[5], 1, &pump->callback);
  addon->engines[pump->id] = pump;
  const u32 id = pump->id;
  const int error = pump->start();
  if (error) pump->close();
  return num(env, error ? error : (double)id);
}

// pumpDropped(id): frames that the network refused
napi_value pumpDropped(napi_env env, napi_callback_info info) {
  ARGS(1);
  Addon *addon = addonOf(env);
  const auto found = addon->engines.find(argU32(env, argv[0]));
  return num(env, found == addon->engines.end() ? 0 : found->second->dropped());
}

}  // namespace godwit
