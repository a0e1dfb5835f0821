// The part of libnfs's ABI that is used, for its shared object version 13 (libnfs
// 4.0; the facts are its public header's). Loaded at run time: a host without
// libnfs still has datastores on mounted file systems.
#pragma once
#include <stdint.h>
#include <sys/time.h>

struct nfs_context;
struct nfsfh;
struct nfsdir;

namespace godwit {

typedef void (*NfsCallback)(int status, nfs_context *nfs, void *data, void *priv);

struct NfsUrl {
  char *server;
  char *path;
  char *file;
};

struct NfsStat {
  uint64_t dev, ino, mode, nlink, uid, gid, rdev, size, blksize, blocks;
  uint64_t atime, mtime, ctime, atimeNsec, mtimeNsec, ctimeNsec, used;
};

// Begins with these fields; what follows is not read.
struct NfsDirEntry {
  NfsDirEntry *next;
  char *name;
  uint64_t inode;
};

struct Libnfs {
  nfs_context *(*initContext)();
  void (*destroyContext)(nfs_context *);
  NfsUrl *(*parseUrlDir)(nfs_context *, const char *);
  void (*destroyUrl)(NfsUrl *);
  char *(*getError)(nfs_context *);
  void (*setError)(nfs_context *, const char *format, ...);
  int (*getFd)(nfs_context *);
  int (*whichEvents)(nfs_context *);
  int (*service)(nfs_context *, int);
  void (*setTimeout)(nfs_context *, int milliseconds);
  void (*setAutoreconnect)(nfs_context *, int retries);
  void (*setDircache)(nfs_context *, int enabled);
  void (*setReadahead)(nfs_context *, uint32_t bytes);
  int (*mountAsync)(nfs_context *, const char *server, const char *path, NfsCallback, void *);
  int (*openAsync)(nfs_context *, const char *path, int flags, NfsCallback, void *);
  int (*createAsync)(nfs_context *, const char *path, int flags, int mode, NfsCallback, void *);
  int (*closeAsync)(nfs_context *, nfsfh *, NfsCallback, void *);
  int (*preadAsync)(nfs_context *, nfsfh *, uint64_t offset, uint64_t count, NfsCallback, void *);
  int (*pwriteAsync)(nfs_context *, nfsfh *, uint64_t offset, uint64_t count, const void *, NfsCallback, void *);
  int (*fsyncAsync)(nfs_context *, nfsfh *, NfsCallback, void *);
  int (*ftruncateAsync)(nfs_context *, nfsfh *, uint64_t length, NfsCallback, void *);
  int (*fstat64Async)(nfs_context *, nfsfh *, NfsCallback, void *);
  int (*linkAsync)(nfs_context *, const char *from, const char *to, NfsCallback, void *);
  int (*renameAsync)(nfs_context *, const char *from, const char *to, NfsCallback, void *);
  int (*unlinkAsync)(nfs_context *, const char *path, NfsCallback, void *);
  int (*mkdir2Async)(nfs_context *, const char *path, int mode, NfsCallback, void *);
  int (*rmdirAsync)(nfs_context *, const char *path, NfsCallback, void *);
  int (*opendirAsync)(nfs_context *, const char *path, NfsCallback, void *);
  NfsDirEntry *(*readdir)(nfs_context *, nfsdir *);
  void (*closedir)(nfs_context *, nfsdir *);
  int (*stat64Async)(nfs_context *, const char *path, NfsCallback, void *);
  int (*statvfsAsync)(nfs_context *, const char *path, NfsCallback, void *);
  void (*freeFh)(nfsfh *);
};

// Null, with *error set, when the library or one of its functions is not there.
const Libnfs *loadLibnfs(const char *path, const char **error);

}  // namespace godwit
