// Arguments in, promises out: what both halves of the addon share.
#pragma once
#define NAPI_VERSION 8
#include <node_api.h>
#include <stdint.h>
#include <sys/uio.h>

#include <string>
#include <vector>

namespace godwit {

// What an operation answers: a number (negative: -errno), or numbers, or names.
struct Answer {
  double number = 0;
  std::vector<double> numbers;
  std::vector<std::string> names;
  bool isList = false;
};

// Typed arrays of the caller, kept alive until the operation has ended. They may
// lie over shared or external memory (guest RAM).
struct Buffers {
  std::vector<iovec> parts;
  std::vector<napi_ref> references;
  size_t bytes = 0;
};

constexpr uint32_t kMaxParts = 1024;  // IOV_MAX of Linux

napi_value throwType(napi_env env, const char *message);
double argNumber(napi_env env, napi_value value);
std::string argString(napi_env env, napi_value value);
// False (with an exception pending) unless `value` is an array of at most kMaxParts Uint8Arrays, or null.
bool argBuffers(napi_env env, napi_value value, Buffers *out);
// The guard's cell: a BigInt64Array of one element over shared memory, kept alive through `out`; null for none.
bool argGuard(napi_env env, napi_value value, Buffers *out, const int64_t **guard);
void releaseBuffers(napi_env env, Buffers *buffers);
napi_value toValue(napi_env env, const Answer &answer);

}  // namespace godwit
