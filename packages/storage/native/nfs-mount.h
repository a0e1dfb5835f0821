// One connection to an NFS export, with a thread of its own that is the only one
// to touch libnfs. Requests are pipelined; each has a deadline.
//
//   Down ──request──► Connecting ──mounted──► Up
//    ▲                    │ failed            │ broken, a deadline missed, a guard expired
//    └────────────────────┴───────────────────┘  all in flight fails, files become -EBADF
//
// A missed deadline ends the whole connection on purpose: what had not been sent
// yet is then never sent, and does not land on the server after its sender gave up.
#pragma once
#include <poll.h>
#include <stdint.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "libnfs.h"
#include "napi-util.h"

namespace godwit {

// In the order of NfsOperation in native.ts.
enum class Op { Open, Create, Close, Read, Write, Sync, Truncate, Size, Link, Rename, Unlink, MakeDir, RemoveDir, List, Stat, Space, Count };

struct Request {
  Op op;
  std::string a, b;
  int file = 0;
  int64_t offset = 0;
  int64_t number = 0;
  Buffers buffers;
  const int64_t *guard = nullptr;
  napi_deferred deferred = nullptr;

  class NfsMount *mount = nullptr;
  int64_t deadlineNs = 0;
  // Answered: `buffers` and `guard` are no longer ours to touch, libnfs may still hold the request.
  bool answered = false;
  // What is being written: libnfs may send from it after the request has been answered.
  std::vector<char> data;
};

// An answer on its way to the JavaScript thread.
struct Completion {
  napi_deferred deferred;
  Buffers buffers;
  Answer answer;
};

class NfsMount {
 public:
  NfsMount(const Libnfs &lib, std::string url, int timeoutMs) : lib_(lib), url_(std::move(url)), timeoutMs_(timeoutMs) {}
  // The thread's work, until `stop`; `wake` is called after each batch of completions.
  void run(const std::function<void()> &wake);
  // The thread's last words, once it no longer touches anything of the environment.
  void end();
  void submit(Request *request);
  void stop();
  std::deque<Completion> takeCompletions();
  bool waitEnded(int milliseconds);
  bool open();

 private:
  enum class State { Down, Connecting, Up };

  bool turn();
  void connect();
  void drop(int code);
  void issue(Request *request);
  int send(Request *request);
  void checkDeadlines();
  void finish(Request *request, Answer answer);
  void finish(Request *request, int status);
  void received(Request *request, int status, void *data);
  void answerFrom(Request *request, int status, void *data);
  int meaning(int status);
  nfsfh *handle(int id);
  static void onMounted(int status, nfs_context *, void *, void *priv);
  static void onAnswer(int status, nfs_context *, void *data, void *priv);

  const Libnfs &lib_;
  const std::string url_;
  const int timeoutMs_;
  int event_ = -1;

  std::mutex mutex_;
  std::condition_variable endedSignal_;
  std::deque<Request *> incoming_;
  std::deque<Completion> completed_;
  bool stopping_ = false;
  bool ended_ = false;

  // Only the thread's own from here on.
  State state_ = State::Down;
  nfs_context *nfs_ = nullptr;
  NfsUrl *parsed_ = nullptr;
  int mountStatus_ = 0;
  int dropCode_ = 0;
  int64_t connectDeadlineNs_ = 0;
  std::deque<Request *> waiting_;
  std::list<Request *> inFlight_;
  std::map<int, nfsfh *> files_;
  int nextFile_ = 1;
};

}  // namespace godwit
