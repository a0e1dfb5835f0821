{
  # Nothing is linked that a host may lack: libnfs is loaded when an nfs:// datastore is opened.
  "target_defaults": {
    "configurations": {
      "Debug": {
        "cflags": ["-g", "-fsanitize=undefined", "-fno-sanitize-recover=undefined"],
        "ldflags": ["-fsanitize=undefined"]
      }
    }
  },
  "targets": [
    {
      "target_name": "godwit_storage",
      "sources": ["native/addon.cc", "native/local.cc", "native/nfs.cc", "native/nfs-mount.cc", "native/libnfs.cc", "native/napi-util.cc"],
      "cflags": ["-O2", "-Wall", "-Wextra"],
      "cflags_cc": ["-std=gnu++17", "-fno-exceptions"],
      "libraries": ["-ldl", "-lpthread"]
    }
  ]
}
