#include "libnfs.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include <mutex>
#include <string>

namespace godwit {

static const struct {
  const char *name;
  size_t at;
} kFunctions[] = {
#define F(member, name) {name, offsetof(Libnfs, member)}
    F(initContext, "nfs_init_context"),
    F(destroyContext, "nfs_destroy_context"),
    F(parseUrlDir, "nfs_parse_url_dir"),
    F(destroyUrl, "nfs_destroy_url"),
    F(getError, "nfs_get_error"),
    F(setError, "nfs_set_error"),
    F(getFd, "nfs_get_fd"),
    F(whichEvents, "nfs_which_events"),
    F(service, "nfs_service"),
    F(setTimeout, "nfs_set_timeout"),
    F(setAutoreconnect, "nfs_set_autoreconnect"),
    F(setDircache, "nfs_set_dircache"),
    F(setReadahead, "nfs_set_readahead"),
    F(mountAsync, "nfs_mount_async"),
    F(openAsync, "nfs_open_async"),
    F(createAsync, "nfs_create_async"),
    F(closeAsync, "nfs_close_async"),
    F(preadAsync, "nfs_pread_async"),
    F(pwriteAsync, "nfs_pwrite_async"),
    F(fsyncAsync, "nfs_fsync_async"),
    F(ftruncateAsync, "nfs_ftruncate_async"),
    F(fstat64Async, "nfs_fstat64_async"),
    F(linkAsync, "nfs_link_async"),
    F(renameAsync, "nfs_rename_async"),
    F(unlinkAsync, "nfs_unlink_async"),
    F(mkdir2Async, "nfs_mkdir2_async"),
    F(rmdirAsync, "nfs_rmdir_async"),
    F(opendirAsync, "nfs_opendir_async"),
    F(readdir, "nfs_readdir"),
    F(closedir, "nfs_closedir"),
    F(stat64Async, "nfs_stat64_async"),
    F(statvfsAsync, "nfs_statvfs_async"),
    F(freeFh, "nfs_free_nfsfh"),
#undef F
};
static_assert(sizeof(kFunctions) / sizeof(kFunctions[0]) == sizeof(Libnfs) / sizeof(void *), "one row for each function");

const Libnfs *loadLibnfs(const char *path, const char **error) {
  static std::mutex mutex;
  static Libnfs table;
  static std::string loaded;
  std::lock_guard<std::mutex> lock(mutex);
  if (loaded == path) return &table;
  if (!loaded.empty()) {
    *error = "another libnfs is loaded already";
    return nullptr;
  }
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    *error = dlerror();
    return nullptr;
  }
  for (const auto &one : kFunctions) {
    void *function = dlsym(library, one.name);
    if (!function) {
      *error = one.name;
      return nullptr;
    }
    memcpy((char *)&table + one.at, &function, sizeof function);
  }
  loaded = path;
  return &table;
}

}  // namespace godwit
