// The native contract as Node-API functions: the twin of packages/storage/src/native.ts.
#include "local.h"
#include "nfs.h"

NAPI_MODULE_INIT() {
  godwit::exportLocal(env, exports);
  godwit::exportNfs(env, exports);
  return exports;
}
