#include "napi-util.h"

namespace godwit {

napi_value throwType(napi_env env, const char *message) {
  napi_throw_type_error(env, "GODWIT_STORAGE", message);
  return nullptr;
}

double argNumber(napi_env env, napi_value value) {
  double result = 0;
  napi_get_value_double(env, value, &result);
  return result;
}

std::string argString(napi_env env, napi_value value) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) return {};
  std::string result(length, '\0');
  napi_get_value_string_utf8(env, value, &result[0], length + 1, &length);
  return result;
}

static bool keep(napi_env env, napi_value value, Buffers *out) {
  napi_ref reference;
  if (napi_create_reference(env, value, 1, &reference) != napi_ok) return false;
  out->references.push_back(reference);
  return true;
}

bool argBuffers(napi_env env, napi_value value, Buffers *out) {
  napi_valuetype type;
  napi_typeof(env, value, &type);
  if (type == napi_null) return true;
  bool isArray = false;
  uint32_t count = 0;
  napi_is_array(env, value, &isArray);
  if (isArray) napi_get_array_length(env, value, &count);
  if (!isArray || count > kMaxParts) return throwType(env, "expected at most 1024 buffers"), false;
  for (uint32_t index = 0; index < count; index++) {
    napi_value part;
    napi_typedarray_type kind;
    size_t length;
    void *data;
    napi_get_element(env, value, index, &part);
    // SAFETY: the reference keeps the memory where it is until releaseBuffers.
    if (napi_get_typedarray_info(env, part, &kind, &length, &data, nullptr, nullptr) != napi_ok || kind != napi_uint8_array ||
        !keep(env, part, out)) {
      releaseBuffers(env, out);
      return throwType(env, "a buffer must be a Uint8Array"), false;
    }
    out->parts.push_back({data, length});
    out->bytes += length;
  }
  return true;
}

bool argGuard(napi_env env, napi_value value, Buffers *out, const int64_t **guard) {
  napi_valuetype type;
  napi_typeof(env, value, &type);
  *guard = nullptr;
  if (type == napi_null) return true;
  napi_typedarray_type kind;
  size_t length;
  void *data;
  if (napi_get_typedarray_info(env, value, &kind, &length, &data, nullptr, nullptr) != napi_ok || kind != napi_bigint64_array ||
      length < 1 || !keep(env, value, out)) {
    releaseBuffers(env, out);
    return throwType(env, "the guard must be a BigInt64Array"), false;
  }
  *guard = (const int64_t *)data;
  return true;
}

void releaseBuffers(napi_env env, Buffers *buffers) {
  for (napi_ref reference : buffers->references) napi_delete_reference(env, reference);
  buffers->references.clear();
  buffers->parts.clear();
}

napi_value toValue(napi_env env, const Answer &answer) {
  napi_value result, item;
  if (!answer.isList || answer.number < 0) {
    napi_create_double(env, answer.number, &result);
    return result;
  }
  uint32_t index = 0;
  napi_create_array(env, &result);
  for (double number : answer.numbers) {
    napi_create_double(env, number, &item);
    napi_set_element(env, result, index++, item);
  }
  for (const std::string &name : answer.names) {
    napi_create_string_utf8(env, name.data(), name.size(), &item);
    napi_set_element(env, result, index++, item);
  }
  return result;
}

}  // namespace godwit
