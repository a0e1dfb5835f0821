#include "nfs-mount.h"

#include <errno.h>
#include <stdlib.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "guard.h"

namespace godwit {

// How often deadlines and guards are looked at while something is under way.
constexpr int kLookMs = 20;
// Names in one folder that are listed at most: a datastore holds far fewer.
constexpr size_t kMaxNames = 100000;

bool NfsMount::open() { return (event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) >= 0; }

static void signalEvent(int event) {
  uint64_t one = 1;
  // A full counter wakes the thread just as well.
  if (write(event, &one, sizeof one) < 0) return;
}

void NfsMount::submit(Request *request) {
  request->mount = this;
  request->deadlineNs = bootTimeNs() + (int64_t)timeoutMs_ * 1000000;
  std::lock_guard<std::mutex> lock(mutex_);
  incoming_.push_back(request);
  if (!ended_) signalEvent(event_);
}

void NfsMount::stop() {
  std::lock_guard<std::mutex> lock(mutex_);
  stopping_ = true;
  if (!ended_) signalEvent(event_);
}

std::deque<Completion> NfsMount::takeCompletions() {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::move(completed_);
}

bool NfsMount::waitEnded(int milliseconds) {
  std::unique_lock<std::mutex> lock(mutex_);
  return endedSignal_.wait_for(lock, std::chrono::milliseconds(milliseconds), [this] { return ended_; });
}

void NfsMount::run(const std::function<void()> &wake) {
  for (bool more = true; more;) {
    more = turn();
    bool any;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      any = !completed_.empty();
    }
    if (any) wake();
  }
}

void NfsMount::end() {
  std::lock_guard<std::mutex> lock(mutex_);
  close(event_);
  ended_ = true;
  endedSignal_.notify_all();
}

// Small messages go at once in both directions: no waiting for the acknowledgement of the one
// before (TCP_NODELAY), none kept back while the server waits for it (TCP_QUICKACK, which the
// kernel forgets again and again). Either costs 40 ms each time.
static void setTcp(int fd, int option) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, option, &on, sizeof on);
}

// Takes requests, sends what can be sent, waits for something to happen. False: the end.
bool NfsMount::turn() {
  bool stopping;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    waiting_.insert(waiting_.end(), incoming_.begin(), incoming_.end());
    incoming_.clear();
    stopping = stopping_;
  }
  if (stopping) return drop(-ESHUTDOWN), false;
  if (state_ == State::Down && !waiting_.empty()) connect();
  if (state_ == State::Up) {
    std::deque<Request *> ready;
    ready.swap(waiting_);
    for (Request *request : ready) issue(request);
  }
  {
    // Answers that came without waiting are delivered before anything is waited for.
    std::lock_guard<std::mutex> lock(mutex_);
    if (!completed_.empty()) return true;
  }
  bool busy = !inFlight_.empty() || state_ == State::Connecting;
  pollfd polled[2] = {{event_, POLLIN, 0}, {-1, 0, 0}};
  if (nfs_) polled[1] = {lib_.getFd(nfs_), (short)lib_.whichEvents(nfs_), 0};
  poll(polled, 2, busy ? kLookMs : -1);
  uint64_t count;
  if (polled[0].revents && read(event_, &count, sizeof count) < 0) return true;
  if (nfs_ && polled[1].revents && lib_.service(nfs_, polled[1].revents) < 0) drop(state_ == State::Connecting ? -ECONNREFUSED : -ECONNRESET);
  else if (mountStatus_ < 0) drop(mountStatus_);
  if (nfs_ && busy) setTcp(lib_.getFd(nfs_), TCP_QUICKACK);
  checkDeadlines();
  return true;
}

void NfsMount::connect() {
  mountStatus_ = 0;
  nfs_ = lib_.initContext();
  parsed_ = nfs_ ? lib_.parseUrlDir(nfs_, url_.c_str()) : nullptr;
  if (!parsed_ || !parsed_->server || !parsed_->path) return drop(-EINVAL);
  // Nothing is sent again behind the sender's back, nothing is answered from memory.
  lib_.setAutoreconnect(nfs_, 0);
  lib_.setDircache(nfs_, 0);
  lib_.setReadahead(nfs_, 0);
  // Time is kept here, by checkDeadlines.
  lib_.setTimeout(nfs_, -1);
  state_ = State::Connecting;
  connectDeadlineNs_ = bootTimeNs() + (int64_t)timeoutMs_ * 1000000;
  if (lib_.mountAsync(nfs_, parsed_->server, parsed_->path, onMounted, this) < 0) drop(-ECONNREFUSED);
}

void NfsMount::onMounted(int status, nfs_context *, void *, void *priv) {
  NfsMount *self = (NfsMount *)priv;
  // The context must not be destroyed inside its own callback: turn() does it.
  if (status < 0) self->mountStatus_ = status == -EFAULT || status == -EINTR ? -ECONNREFUSED : status;
  else if (self->state_ == State::Connecting) {
    setTcp(self->lib_.getFd(self->nfs_), TCP_NODELAY);
    self->state_ = State::Up;
  }
}

// Ends the connection: all that waits or is in flight fails with `code`.
void NfsMount::drop(int code) {
  bool wasUp = state_ == State::Up;
  state_ = State::Down;
  mountStatus_ = 0;
  dropCode_ = code;
  if (nfs_) {
    // Closed with a reset: the kernel drops what it has not sent yet, instead of trying for
    // minutes and delivering old writes when a cut network heals.
    linger abrupt = {1, 0};
    setsockopt(lib_.getFd(nfs_), SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
    lib_.destroyContext(nfs_);  // calls onAnswer for what is in flight
  }
  if (parsed_) lib_.destroyUrl(parsed_);
  nfs_ = nullptr;
  parsed_ = nullptr;
  for (Request *request : inFlight_) {
    finish(request, code);
    delete request;
  }
  inFlight_.clear();
  dropCode_ = 0;
  for (auto &file : files_) lib_.freeFh(file.second);
  files_.clear();
  // What had not been sent may go over the next connection, unless this one never came about.
  if (wasUp && code != -ESHUTDOWN) return;
  for (Request *request : waiting_) {
    finish(request, code);
    delete request;
  }
  waiting_.clear();
}

void NfsMount::checkDeadlines() {
  int64_t now = bootTimeNs();
  if (state_ == State::Connecting && now >= connectDeadlineNs_) return drop(-ETIMEDOUT);
  for (Request *request : inFlight_) {
    if (request->answered) continue;
    if (now >= request->deadlineNs) return drop(-ETIMEDOUT);
    if (!guardAllows(request->guard)) return drop(-kFenced);
  }
}

nfsfh *NfsMount::handle(int id) {
  auto found = files_.find(id);
  return found == files_.end() ? nullptr : found->second;
}

void NfsMount::issue(Request *request) {
  int status = guardAllows(request->guard) ? 0 : -kFenced;
  if (!status && bootTimeNs() >= request->deadlineNs) status = -ETIMEDOUT;
  if (!status) {
    inFlight_.push_back(request);
    status = send(request);
    if (status == 0) return;
    inFlight_.remove(request);
  }
  finish(request, status);
  delete request;
}

// Hands the request to libnfs; a negative errno when it was not taken.
int NfsMount::send(Request *r) {
  const char *a = r->a.c_str(), *b = r->b.c_str();
  nfsfh *fh = handle(r->file);
  bool needsFile = r->op == Op::Close || (r->op >= Op::Read && r->op <= Op::Size);
  if (needsFile && !fh) return -EBADF;
  int taken = -1;
  switch (r->op) {
    case Op::Open: taken = lib_.openAsync(nfs_, a, (int)r->number, onAnswer, r); break;
    case Op::Create: taken = lib_.createAsync(nfs_, a, (int)r->number | O_CREAT, 0640, onAnswer, r); break;
    case Op::Close:
      files_.erase(r->file);
      taken = lib_.closeAsync(nfs_, fh, onAnswer, r);
      break;
    case Op::Read: taken = lib_.preadAsync(nfs_, fh, r->offset, r->buffers.bytes, onAnswer, r); break;
    case Op::Write:
      r->data.reserve(r->buffers.bytes);
      for (const iovec &part : r->buffers.parts) r->data.insert(r->data.end(), (char *)part.iov_base, (char *)part.iov_base + part.iov_len);
      taken = lib_.pwriteAsync(nfs_, fh, r->offset, r->data.size(), r->data.data(), onAnswer, r);
      break;
    case Op::Sync: taken = lib_.fsyncAsync(nfs_, fh, onAnswer, r); break;
    case Op::Truncate: taken = lib_.ftruncateAsync(nfs_, fh, r->number, onAnswer, r); break;
    case Op::Size: taken = lib_.fstat64Async(nfs_, fh, onAnswer, r); break;
    case Op::Link: taken = lib_.linkAsync(nfs_, a, b, onAnswer, r); break;
    case Op::Rename: taken = lib_.renameAsync(nfs_, a, b, onAnswer, r); break;
    case Op::Unlink: taken = lib_.unlinkAsync(nfs_, a, onAnswer, r); break;
    case Op::MakeDir: taken = lib_.mkdir2Async(nfs_, a, 0750, onAnswer, r); break;
    case Op::RemoveDir: taken = lib_.rmdirAsync(nfs_, a, onAnswer, r); break;
    case Op::List: taken = lib_.opendirAsync(nfs_, a, onAnswer, r); break;
    case Op::Stat: taken = lib_.stat64Async(nfs_, a, onAnswer, r); break;
    case Op::Space: taken = lib_.statvfsAsync(nfs_, a, onAnswer, r); break;
    case Op::Count: break;
  }
  return taken < 0 ? -EIO : 0;
}

void NfsMount::onAnswer(int status, nfs_context *, void *data, void *priv) {
  Request *request = (Request *)priv;
  request->mount->received(request, status, data);
}

// For a read or write in pieces libnfs 4.0 gives EFAULT whatever went wrong, and names the
// reason in its text only: "Write failed with NFS3ERR_NOSPC(-28)".
int NfsMount::meaning(int status) {
  if (status != -EFAULT && status != -EINTR && status != -EIO) return status;
  const char *text = lib_.getError(nfs_);
  const char *at = text ? strstr(text, "NFS3ERR_") : nullptr;
  const char *number = at ? strchr(at, '(') : nullptr;
  int reason = number ? atoi(number + 1) : 0;
  // The text stays until the next one: it must not explain a later failure.
  lib_.setError(nfs_, "%s", "");
  return reason < 0 && reason > -4096 && reason != -EFAULT ? reason : -EIO;
}

void NfsMount::received(Request *request, int status, void *data) {
  // While a connection is dropped, what libnfs says (EINTR, EFAULT) is not the reason.
  if (dropCode_) finish(request, dropCode_);
  else if (status < 0) finish(request, meaning(status));
  else answerFrom(request, status, data);
  // Inside drop() the list is walked afterwards; remove() there is harmless, too.
  inFlight_.remove(request);
  delete request;
}

void NfsMount::answerFrom(Request *r, int status, void *data) {
  Answer answer;
  answer.number = status;
  switch (r->op) {
    case Op::Open:
    case Op::Create:
      answer.number = nextFile_;
      files_[nextFile_++] = (nfsfh *)data;
      break;
    case Op::Read: {
      // SAFETY: `data` holds `status` bytes, and no more than was asked for fits the parts.
      size_t left = (size_t)status, at = 0;
      for (const iovec &part : r->buffers.parts) {
        size_t count = left < part.iov_len ? left : part.iov_len;
        memcpy(part.iov_base, (char *)data + at, count);
        at += count, left -= count;
      }
      break;
    }
    case Op::Write:
      if ((size_t)status != r->data.size()) answer.number = -EIO;
      break;
    case Op::Size:
      answer.number = (double)((NfsStat *)data)->size;
      break;
    case Op::Stat: {
      const NfsStat *stat = (NfsStat *)data;
      answer.isList = true;
      answer.numbers = {(double)stat->mode, (double)stat->size, (double)stat->ino, (double)stat->nlink,
                        (double)stat->mtime * 1e3 + (double)stat->mtimeNsec / 1e6};
      break;
    }
    case Op::Space: {
      const struct statvfs *space = (struct statvfs *)data;
      double unit = (double)(space->f_frsize ? space->f_frsize : space->f_bsize);
      answer.isList = true;
      answer.numbers = {unit * (double)space->f_blocks, unit * (double)space->f_bavail};
      break;
    }
    case Op::List: {
      answer.isList = true;
      nfsdir *dir = (nfsdir *)data;
      while (NfsDirEntry *entry = lib_.readdir(nfs_, dir)) {
        if (answer.names.size() >= kMaxNames) break;
        if (strcmp(entry->name, ".") && strcmp(entry->name, "..")) answer.names.push_back(entry->name);
      }
      lib_.closedir(nfs_, dir);
      break;
    }
    default:
      answer.number = 0;
  }
  finish(r, std::move(answer));
}

void NfsMount::finish(Request *request, int status) {
  Answer answer;
  answer.number = status;
  finish(request, std::move(answer));
}

void NfsMount::finish(Request *request, Answer answer) {
  if (request->answered) return;
  request->answered = true;
  std::lock_guard<std::mutex> lock(mutex_);
  completed_.push_back({request->deferred, std::move(request->buffers), std::move(answer)});
}

}  // namespace godwit
