// XXH3-128 over a sequence of fields, each told apart from its neighbours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct XXH3_state_s;

namespace lookalike {

class Fingerprint {
 public:
  Fingerprint();

  void add(std::string_view field);  // its length goes in first: "ab","c" differs from "a","bc"
  void add(uint64_t number);
  void add_raw(std::span<const std::byte> bytes);  // no length: pieces add up to the whole
  std::string hex() const;                         // 32 hexadecimal digits

 private:
  struct Release {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Release> state_;
};

}  // namespace lookalike
