#pragma once
#include "napi-util.h"

namespace godwit {
void exportNfs(napi_env env, napi_value exports);
}
