{
  # The core runs between two stretches of guest code and in signal handlers:
  # general registers only, and no loop may become a call to a vectorised libc routine.
  # The Debug configuration is the sanitizer build: undefined behaviour is reported and ends the process.
  "target_defaults": {
    "configurations": {
      "Debug": {
        "cflags": ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"],
        "ldflags": ["-fsanitize=address,undefined"]
      }
    }
  },
  "targets": [
    {
      "target_name": "godwit_core",
      "type": "static_library",
      "sources": ["native/mmu.cc", "native/blocks.cc", "native/helpers.cc", "native/entry.cc", "native/fault.cc", "native/soft-tlb.cc", "native/dirty-log.cc", "native/warm.cc"],
      "cflags": ["-O2", "-fPIC", "-Wall", "-Wextra"],
      "cflags_cc": ["-std=gnu++17", "-mgeneral-regs-only", "-ffreestanding", "-fno-tree-loop-distribute-patterns",
                    "-fno-exceptions", "-fno-rtti", "-fno-stack-protector", "-fno-omit-frame-pointer", "-fcf-protection=none"]
    },
    {
      "target_name": "godwit_metal",
      "dependencies": ["godwit_core"],
      "sources": ["native/addon.cc", "native/pages.cc"],
      "cflags": ["-O2", "-Wall", "-Wextra"],
      "cflags_cc": ["-std=gnu++17", "-fno-exceptions"],
      "libraries": ["-lrt"]
    }
  ]
}
