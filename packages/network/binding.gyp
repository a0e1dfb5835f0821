{
  "targets": [
    {
      "target_name": "godwit_network",
      "sources": ["native/addon.cc", "native/tap.cc", "native/offload.cc", "native/pump.cc", "native/slirp.cc"],
      "cflags": ["-O2", "-Wall", "-Wextra"],
      "cflags_cc": ["-std=gnu++17", "-fno-exceptions"],
      "libraries": ["-ldl"],
      "configurations": {
        "Debug": {
          "cflags": ["-g", "-fsanitize=undefined", "-fno-sanitize-recover=undefined"],
          "ldflags": ["-fsanitize=undefined"]
        }
      }
    }
  ]
}
