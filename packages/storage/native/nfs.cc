// NFS mounts as JavaScript sees them; the work is in nfs-mount.cc.
#include "nfs.h"

#include <thread>

#include "nfs-mount.h"

namespace godwit {

// Longest time that the end of the process waits for a mount's thread.
constexpr int kEndMs = 2000;

// A mount and its way back to the JavaScript thread, which alone touches `wake` and `pending`.
struct Link {
  NfsMount mount;
  napi_threadsafe_function wake = nullptr;
  // Requests without an answer: as long as there are any, they keep the process alive.
  int pending = 0;
};
using Shared = std::shared_ptr<Link>;

// On the JavaScript thread: settles what has been answered. `env` is null while the environment ends.
static void deliver(napi_env env, napi_value, void *context, void *) {
  if (!env) return;
  Link *link = ((Shared *)context)->get();
  for (Completion &one : link->mount.takeCompletions()) {
    releaseBuffers(env, &one.buffers);
    napi_resolve_deferred(env, one.deferred, toValue(env, one.answer));
    if (--link->pending == 0) napi_unref_threadsafe_function(env, link->wake);
  }
}

// Before the environment ends; the thread must not outlive its thread-safe function.
static void endLink(void *data) {
  Shared *link = (Shared *)data;
  (*link)->mount.stop();
  (*link)->mount.waitEnded(kEndMs);
  delete link;
}

static void forgetLink(napi_env, void *data, void *) {
  Shared *link = (Shared *)data;
  (*link)->mount.stop();
  delete link;
}

// nfsMount(library, url, timeoutMs) → mount
static napi_value nfsMount(napi_env env, napi_callback_info info) {
  size_t argc = 3;
  napi_value argv[3], name, result;
  napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr);
  if (argc < 3) return throwType(env, "too few arguments");
  const char *error = nullptr;
  const Libnfs *lib = loadLibnfs(argString(env, argv[0]).c_str(), &error);
  if (!lib) {
    napi_throw_error(env, "GODWIT_LIBNFS", error);
    return nullptr;
  }
  Shared link(new Link{NfsMount(*lib, argString(env, argv[1]), (int)argNumber(env, argv[2]))});
  if (!link->mount.open()) return throwType(env, "no file descriptor is left");
  napi_create_string_utf8(env, "godwit_nfs", NAPI_AUTO_LENGTH, &name);
  auto finalize = [](napi_env, void *data, void *) { delete (Shared *)data; };
  Shared *context = new Shared(link);
  if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, context, finalize, context, deliver, &link->wake) != napi_ok) {
    delete context;
    return throwType(env, "no thread-safe function could be made");
  }
  napi_unref_threadsafe_function(env, link->wake);
  std::thread([link, wake = link->wake] {
    link->mount.run([wake] { napi_call_threadsafe_function(wake, nullptr, napi_tsfn_nonblocking); });
    napi_release_threadsafe_function(wake, napi_tsfn_release);
    link->mount.end();
  }).detach();
  // Hooks run last in, first out: the thread ends before its thread-safe function does.
  napi_add_env_cleanup_hook(env, endLink, new Shared(link));
  napi_create_external(env, new Shared(link), forgetLink, nullptr, &result);
  return result;
}

static Link *argLink(napi_env env, napi_value value) {
  void *data = nullptr;
  napi_valuetype type;
  napi_typeof(env, value, &type);
  if (type != napi_external || napi_get_value_external(env, value, &data) != napi_ok) return nullptr;
  return ((Shared *)data)->get();
}

// nfsCall(mount, operation, a, b, file, offset, number, buffers, guard) → promise
static napi_value nfsCall(napi_env env, napi_callback_info info) {
  size_t argc = 9;
  napi_value argv[9], promise;
  napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr);
  Link *link = argc == 9 ? argLink(env, argv[0]) : nullptr;
  int op = link ? (int)argNumber(env, argv[1]) : -1;
  if (!link || op < 0 || op >= (int)Op::Count) return throwType(env, "nfsCall: wrong arguments");
  Request *request = new Request();
  request->op = (Op)op;
  request->a = argString(env, argv[2]);
  request->b = argString(env, argv[3]);
  request->file = (int)argNumber(env, argv[4]);
  request->offset = (int64_t)argNumber(env, argv[5]);
  request->number = (int64_t)argNumber(env, argv[6]);
  if (!argBuffers(env, argv[7], &request->buffers) || !argGuard(env, argv[8], &request->buffers, &request->guard)) {
    delete request;
    return nullptr;
  }
  napi_create_promise(env, &request->deferred, &promise);
  if (link->pending++ == 0) napi_ref_threadsafe_function(env, link->wake);
  link->mount.submit(request);
  return promise;
}

static napi_value nfsClose(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argv[1];
  napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr);
  Link *link = argc == 1 ? argLink(env, argv[0]) : nullptr;
  if (!link) return throwType(env, "nfsClose: expected a mount");
  link->mount.stop();
  return nullptr;
}

void exportNfs(napi_env env, napi_value exports) {
  const struct {
    const char *name;
    napi_callback function;
  } functions[] = {{"nfsMount", nfsMount}, {"nfsCall", nfsCall}, {"nfsClose", nfsClose}};
  for (const auto &one : functions) {
    napi_value function;
    napi_create_function(env, one.name, NAPI_AUTO_LENGTH, one.function, nullptr, &function);
    napi_set_named_property(env, exports, one.name, function);
  }
}

}  // namespace godwit
