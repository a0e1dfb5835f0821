#pragma once
#include "napi-util.h"

namespace godwit {
void exportLocal(napi_env env, napi_value exports);
}
