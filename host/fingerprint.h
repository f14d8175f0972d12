// XXH3-128 over a sequence of fields, each told apart from its neighbours.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct XXH3_state_s;

namespace lookalike {

class Fingerprint {
 public:
  Fingerprint();

  void add(std::string_view field);  // its length goes in first: "ab","c" differs from "a","bc"
  void add(uint64_t number);
  std::string hex() const;  // 32 hexadecimal digits

 private:
  struct Release {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Release> state_;
};

}  // namespace lookalike
