// The native contract as Node-API functions: the twin of packages/network/src/native.ts,
// same names in the same order. Frames cross in shared buffers, many a call.
#include "addon.h"

#include <stddef.h>

#include "offload.h"

namespace godwit {

Addon *addonOf(napi_env env) {
  void *p = nullptr;
  napi_get_instance_data(env, &p);
  return (Addon *)p;
}
napi_value num(napi_env env, double d) {
  napi_value v;
  napi_create_double(env, d, &v);
  return v;
}
u32 argU32(napi_env env, napi_value v) {
  u32 r = 0;
  napi_get_value_uint32(env, v, &r);
  return r;
}
bool argBool(napi_env env, napi_value v) {
  bool r = false;
  napi_get_value_bool(env, v, &r);
  return r;
}
Text argText(napi_env env, napi_value v) {
  Text t = {};
  size_t n = 0;
  if (napi_get_value_string_utf8(env, v, nullptr, 0, &n) != napi_ok || n >= sizeof t.at) return t;
  napi_get_value_string_utf8(env, v, t.at, sizeof t.at, &n);
  return t;
}
bool argBytes(napi_env env, napi_value v, u8 **data, u64 *bytes) {
  bool is = false;
  size_t n = 0;
  void *p = nullptr;
  napi_typedarray_type type;
  if (napi_is_typedarray(env, v, &is) != napi_ok || !is) return false;
  if (napi_get_typedarray_info(env, v, &type, &n, &p, nullptr, nullptr) != napi_ok || type != napi_uint8_array) return false;
  *data = (u8 *)p;
  *bytes = n;
  return p != nullptr;
}
void callBack(napi_env env, napi_ref callback, double a, double b) {
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value function, global, args[2] = {num(env, a), num(env, b)};
  napi_get_reference_value(env, callback, &function);
  napi_get_global(env, &global);
  if (napi_make_callback(env, nullptr, global, function, 2, args, nullptr) == napi_pending_exception) {
    napi_value thrown;
    napi_get_and_clear_last_exception(env, &thrown);
    napi_fatal_exception(env, thrown);
  }
  napi_close_handle_scope(env, scope);
}

// ringLayout(): [name, offset][], compared with frame-ring.ts
static napi_value ringLayout(napi_env env, napi_callback_info) {
  const struct { const char *name; double value; } fields[] = {
      {"head", offsetof(RingHeader, head)},
      {"tail", offsetof(RingHeader, tail)},
      {"consumerSleeps", offsetof(RingHeader, consumerSleeps)},
      {"producerWaits", offsetof(RingHeader, producerWaits)},
      {"frames", offsetof(RingHeader, frames)},
      {"bytes", offsetof(RingHeader, bytes)},
      {"dropped", offsetof(RingHeader, dropped)},
      {"data", offsetof(RingHeader, data)},
  };
  napi_value list;
  napi_create_array(env, &list);
  u32 i = 0;
  for (const auto &f : fields) {
    napi_value pair, name;
    napi_create_array_with_length(env, 2, &pair);
    napi_create_string_utf8(env, f.name, NAPI_AUTO_LENGTH, &name);
    napi_set_element(env, pair, 0, name);
    napi_set_element(env, pair, 1, num(env, f.value));
    napi_set_element(env, list, i++, pair);
  }
  return list;
}

// finish(record, out): bytes written to out (as the socket carries them), 0 if the frame is to be dropped
napi_value finish(napi_env env, napi_callback_info info) {
  ARGS(2);
  u8 *record, *out;
  u64 recordBytes, outBytes;
  if (!argBytes(env, argv[0], &record, &recordBytes) || !argBytes(env, argv[1], &out, &outBytes)) return num(env, 0);
  if (recordBytes < kVirtioHeaderBytes + kMinFrameBytes || recordBytes > kMaxRecordBytes || outBytes < kMaxFinishedBytes) return num(env, 0);
  return num(env, finishFrame(record, (u32)recordBytes, out));
}

// closeEngine(id): ends a pump or a slirp; its file descriptors are the caller's
static napi_value closeEngine(napi_env env, napi_callback_info info) {
  ARGS(1);
  Addon *addon = addonOf(env);
  const auto found = addon->engines.find(argU32(env, argv[0]));
  if (found != addon->engines.end()) found->second->close();
  return nullptr;
}

void Addon::gone(u32 id) {
  engines.erase(id);
  if (ending && engines.empty()) napi_remove_async_cleanup_hook(cleanup);
}

// The thread ends: libuv handles must be closed before its loop is.
static void atExit(napi_async_cleanup_hook_handle handle, void *data) {
  Addon *addon = (Addon *)data;
  addon->ending = true;
  if (addon->engines.empty()) {
    napi_remove_async_cleanup_hook(handle);
    return;
  }
  for (const auto &e : addon->engines) e.second->close();
}

static napi_value init(napi_env env, napi_value exports) {
  Addon *addon = new Addon();
  addon->env = env;
  napi_get_uv_event_loop(env, &addon->loop);
  // Freed by Node after the clean-up hook is through.
  napi_set_instance_data(env, addon, [](napi_env, void *p, void *) { delete (Addon *)p; }, nullptr);
  napi_add_async_cleanup_hook(env, atExit, addon, &addon->cleanup);
  const struct { const char *name; napi_callback call; } functions[] = {
      {"ringLayout", ringLayout},
      {"tapAttach", tapAttach},
      {"tapName", tapName},
      {"tapSetOffload", tapSetOffload},
      {"bridgeAdd", bridgeAdd},
      {"linkUp", linkUp},
      {"openBell", openBell},
      {"ringBell", ringBell},
      {"unixConnect", unixConnect},
      {"limitFiles", limitFiles},
      {"startPump", startPump},
      {"pumpDropped", pumpDropped},
      {"finish", finish},
      {"slirpStart", slirpStart},
      {"slirpInput", slirpInput},
      {"slirpForward", slirpForward},
      {"slirpConnections", slirpConnections},
      {"closeEngine", closeEngine},
  };
  for (const auto &f : functions) {
    napi_value v;
    napi_create_function(env, f.name, NAPI_AUTO_LENGTH, f.call, nullptr, &v);
    napi_set_named_property(env, exports, f.name, v);
  }
  return exports;
}

}  // namespace godwit

NAPI_MODULE_INIT() { return godwit::init(env, exports); }
