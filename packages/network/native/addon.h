// Shared by the parts of the addon: argument helpers, and what one Node environment (thread) owns.
#pragma once
#define NAPI_VERSION 8
#include <node_api.h>
#include <uv.h>
#include <unordered_map>

#include "ring.h"

namespace godwit {

class Slirp;

// Something with open libuv handles. It frees itself when the last of them is closed.
class Engine {
 public:
  virtual ~Engine() {}
  // Idempotent; after it no callback reaches JavaScript.
  virtual void close() = 0;
  virtual double dropped() { return 0; }
  virtual Slirp *slirp() { return nullptr; }
};

struct Addon {
  napi_env env;
  uv_loop_t *loop;
  u32 nextId = 1;
  std::unordered_map<u32, Engine *> engines;  // open or closing
  napi_async_cleanup_hook_handle cleanup = nullptr;
  bool ending = false;

  void gone(u32 id);  // an engine's handles are closed
};
Addon *addonOf(napi_env env);

napi_value num(napi_env env, double d);
u32 argU32(napi_env env, napi_value v);
bool argBool(napi_env env, napi_value v);
struct Text {
  char at[256];
};
// Longer strings come out empty.
Text argText(napi_env env, napi_value v);
bool argBytes(napi_env env, napi_value v, u8 **data, u64 *bytes);
// Calls back with up to two numbers; an exception thrown there is an uncaught one.
void callBack(napi_env env, napi_ref callback, double a, double b);

#define ARGS(n)          \
  size_t argc = n;       \
  napi_value argv[n] = {}; \
  napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr)

// tap.cc: each answers 0 or more, or -errno.
napi_value tapAttach(napi_env, napi_callback_info);
napi_value tapName(napi_env, napi_callback_info);
napi_value tapSetOffload(napi_env, napi_callback_info);
napi_value bridgeAdd(napi_env, napi_callback_info);
napi_value linkUp(napi_env, napi_callback_info);
napi_value openBell(napi_env, napi_callback_info);
napi_value ringBell(napi_env, napi_callback_info);
napi_value unixConnect(napi_env, napi_callback_info);
napi_value limitFiles(napi_env, napi_callback_info);
// pump.cc
napi_value startPump(napi_env, napi_callback_info);
napi_value pumpDropped(napi_env, napi_callback_info);
// offload.cc, for tests and tools
napi_value finish(napi_env, napi_callback_info);
// slirp.cc
napi_value slirpStart(napi_env, napi_callback_info);
napi_value slirpInput(napi_env, napi_callback_info);
napi_value slirpForward(napi_env, napi_callback_info);
napi_value slirpConnections(napi_env, napi_callback_info);

}  // namespace godwit
