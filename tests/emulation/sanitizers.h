// What the emulator tells AddressSanitizer and ThreadSanitizer; nothing where neither runs.
#pragma once

#if defined(__has_feature)
#define EMU_FEATURE(x) __has_feature(x)
#else
#define EMU_FEATURE(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || EMU_FEATURE(address_sanitizer)
#define EMU_ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__) || EMU_FEATURE(thread_sanitizer)
#define EMU_TSAN 1
#include <sanitizer/tsan_interface.h>
extern "C" {
void AnnotateIgnoreReadsBegin(const char*, int);
void AnnotateIgnoreReadsEnd(const char*, int);
void AnnotateIgnoreWritesBegin(const char*, int);
void AnnotateIgnoreWritesEnd(const char*, int);
void __tsan_read_range(void*, unsigned long);  // NOLINT: the sanitizer's name
}
#endif

namespace lookalike::emu {

// Keeps ThreadSanitizer from looking at the emulator's own memory.
struct Quiet {
#if defined(EMU_TSAN)
  Quiet() {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
  ~Quiet() {
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
  }
#else
  Quiet() {}
#endif
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;
};

// Inside a Quiet: look again.
struct Loud {
#if defined(EMU_TSAN)
  Loud() {
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
  }
  ~Loud() {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
#else
  Loud() {}
#endif
  Loud(const Loud&) = delete;
  Loud& operator=(const Loud&) = delete;
};

// What happened before release(token) happened before what follows acquire(token).
inline void acquire([[maybe_unused]] void* token) {
#if defined(EMU_TSAN)
  __tsan_acquire(token);
#endif
}
inline void release([[maybe_unused]] void* token) {
#if defined(EMU_TSAN)
  __tsan_release(token);
#endif
}

}  // namespace lookalike::emu
