// What a caller or a file got wrong. Thrown everywhere, turned into one line and an exit code by main alone.
#pragma once

#include <stdexcept>
#include <string>

namespace lookalike {

enum class ExitCode : int {
  kDone = 0,
  kInternal = 1,        // a bug of this program
  kUsage = 2,           // command line, configuration, or a device that was asked for is absent
  kNoInput = 3,         // no usable input
  kTooManyRefused = 4,  // finished, but more inputs refused than allowed
  kSystem = 5,          // disk, permission, memory
  kDamaged = 6,         // an artefact is damaged or foreign
  kNonFinite = 7,       // NaN or infinity in loss, gradient or weights
  kInUse = 9,           // the output is in use by another run
  kDeviceFault = 10,    // the GPU failed after the start
  kSignal = 128,        // plus the signal's number: stopped after saving
};

// what() reads "what, where, what to do", without a full stop.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, std::string name, const std::string& message)
      : std::runtime_error(message), code_(code), name_(std::move(name)) {}
  ExitCode code() const { return code_; }
  const std::string& name() const { return name_; }  // "E_USAGE", printed in the error line

 private:
  ExitCode code_;
  std::string name_;
};

inline Error usage_error(const std::string& message) { return {ExitCode::kUsage, "E_USAGE", message}; }
inline Error no_input_error(const std::string& message) {
  return {ExitCode::kNoInput, "E_NO_INPUT", message};
}
inline Error too_many_refused_error(const std::string& message) {
  return {ExitCode::kTooManyRefused, "E_TOO_MANY_REFUSED", message};
}
inline Error system_error(const std::string& message) { return {ExitCode::kSystem, "E_SYSTEM", message}; }
inline Error damaged_error(const std::string& message) { return {ExitCode::kDamaged, "E_DAMAGED", message}; }
inline Error non_finite_error(const std::string& message) {
  return {ExitCode::kNonFinite, "E_NON_FINITE", message};
}
inline Error device_error(const std::string& message) {
  return {ExitCode::kDeviceFault, "E_DEVICE", message};
}
inline Error in_use_error(const std::string& message) { return {ExitCode::kInUse, "E_IN_USE", message}; }

}  // namespace lookalike
