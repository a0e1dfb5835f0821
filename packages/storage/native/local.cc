// Files of a mounted file system: what Node's own fs cannot do. Guarded positional
// writes, holes, and reads past the page cache. Each runs on libuv's pool.
#include "local.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guard.h"
#include "napi-util.h"

namespace godwit {

enum class Kind { Read, Write, PunchHole, ReadFresh };

struct Work {
  Kind kind;
  int fd = -1;
  int64_t offset = 0;
  int64_t length = 0;
  std::string path;
  Buffers buffers;
  const int64_t *guard = nullptr;
  Answer answer;
  napi_deferred deferred;
  napi_async_work work;
};

// Moves all of the parts, over short counts; a read ends early at the end of the file.
static double transfer(Work *w) {
  std::vector<iovec> parts = w->buffers.parts;
  iovec *next = parts.data();
  size_t left = parts.size();
  double total = 0;
  int64_t offset = w->offset;
  while (left > 0) {
    if (next->iov_len == 0) {
      next++, left--;
      continue;
    }
    if (w->kind == Kind::Write && !guardAllows(w->guard)) return -kFenced;
    ssize_t count = w->kind == Kind::Write ? pwritev(w->fd, next, (int)left, offset) : preadv(w->fd, next, (int)left, offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -errno;
    if (count == 0) return w->kind == Kind::Write ? -EIO : total;
    total += (double)count;
    offset += count;
    while (left > 0 && (size_t)count >= next->iov_len) count -= next->iov_len, next++, left--;
    if (left > 0) next->iov_base = (char *)next->iov_base + count, next->iov_len -= count;
  }
  return total;
}

// A small file as the server has it: O_DIRECT goes past the page cache of an NFS client.
static double readFresh(Work *w) {
  constexpr size_t kAlign = 4096, kBytes = 16384;
  int fd = open(w->path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
  if (fd < 0 && errno == EINVAL) fd = open(w->path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  char *memory = nullptr;
  if (posix_memalign((void **)&memory, kAlign, kBytes)) return close(fd), -ENOMEM;
  ssize_t count = pread(fd, memory, kBytes, 0);
  if (count < 0 && errno == EINVAL) {  // a file system that opens but does not read that way
    fcntl(fd, F_SETFL, 0);
    count = pread(fd, memory, kBytes, 0);
  }
  double result = count < 0 ? -errno : count;
  if (count > (ssize_t)w->buffers.bytes) result = -EFBIG;
  else if (count > 0) memcpy(w->buffers.parts[0].iov_base, memory, count);
  free(memory);
  close(fd);
  return result;
}

static void execute(napi_env, void *data) {
  Work *w = (Work *)data;
  switch (w->kind) {
    case Kind::PunchHole:
      if (!guardAllows(w->guard)) w->answer.number = -kFenced;
      else w->answer.number = fallocate(w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, w->offset, w->length) ? -errno : 0;
      break;
    case Kind::ReadFresh:
      w->answer.number = readFresh(w);
      break;
    default:
      w->answer.number = transfer(w);
  }
}

static void complete(napi_env env, napi_status, void *data) {
  Work *w = (Work *)data;
  releaseBuffers(env, &w->buffers);
  napi_resolve_deferred(env, w->deferred, toValue(env, w->answer));
  napi_delete_async_work(env, w->work);
  delete w;
}

static napi_value queue(napi_env env, Work *w) {
  napi_value promise, name;
  napi_create_promise(env, &w->deferred, &promise);
  napi_create_string_utf8(env, "godwit_storage", NAPI_AUTO_LENGTH, &name);
  napi_create_async_work(env, nullptr, name, execute, complete, w, &w->work);
  napi_queue_async_work(env, w->work);
  return promise;
}

#define ARGS(n)          \
  size_t argc = n;       \
  napi_value argv[n];    \
  napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr); \
  if (argc < n) return throwType(env, "too few arguments")

static napi_value transferOf(napi_env env, napi_callback_info info, Kind kind, bool now) {
  ARGS(4);
  Work *w = new Work();
  w->kind = kind;
  w->fd = (int)argNumber(env, argv[0]);
  w->offset = (int64_t)argNumber(env, argv[2]);
  if (!argBuffers(env, argv[1], &w->buffers) || !argGuard(env, argv[3], &w->buffers, &w->guard)) return delete w, nullptr;
  if (!now) return queue(env, w);
  execute(env, w);
  releaseBuffers(env, &w->buffers);
  napi_value result = toValue(env, w->answer);
  delete w;
  return result;
}

static napi_value localRead(napi_env env, napi_callback_info info) { return transferOf(env, info, Kind::Read, false); }
static napi_value localWrite(napi_env env, napi_callback_info info) { return transferOf(env, info, Kind::Write, false); }
static napi_value localReadNow(napi_env env, napi_callback_info info) { return transferOf(env, info, Kind::Read, true); }
static napi_value localWriteNow(napi_env env, napi_callback_info info) { return transferOf(env, info, Kind::Write, true); }

static napi_value localPunchHole(napi_env env, napi_callback_info info) {
  ARGS(4);
  Work *w = new Work();
  w->kind = Kind::PunchHole;
  w->fd = (int)argNumber(env, argv[0]);
  w->offset = (int64_t)argNumber(env, argv[1]);
  w->length = (int64_t)argNumber(env, argv[2]);
  if (!argGuard(env, argv[3], &w->buffers, &w->guard)) return delete w, nullptr;
  return queue(env, w);
}

static napi_value localReadFresh(napi_env env, napi_callback_info info) {
  ARGS(2);
  Work *w = new Work();
  w->kind = Kind::ReadFresh;
  w->path = argString(env, argv[0]);
  if (!argBuffers(env, argv[1], &w->buffers)) return delete w, nullptr;
  if (w->buffers.parts.size() != 1) {
    releaseBuffers(env, &w->buffers);
    delete w;
    return throwType(env, "expected one buffer");
  }
  return queue(env, w);
}

static napi_value clockNs(napi_env env, napi_callback_info) {
  napi_value result;
  napi_create_bigint_int64(env, bootTimeNs(), &result);
  return result;
}

void exportLocal(napi_env env, napi_value exports) {
  const struct {
    const char *name;
    napi_callback function;
  } functions[] = {
      {"clockNs", clockNs},           {"localRead", localRead},           {"localWrite", localWrite},         {"localReadNow", localReadNow},
      {"localWriteNow", localWriteNow}, {"localPunchHole", localPunchHole}, {"localReadFresh", localReadFresh},
  };
  for (const auto &one : functions) {
    napi_value function;
    napi_create_function(env, one.name, NAPI_AUTO_LENGTH, one.function, nullptr, &function);
    napi_set_named_property(env, exports, one.name, function);
  }
}

}  // namespace godwit
