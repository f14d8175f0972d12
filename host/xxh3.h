// XXH3-128 over bytes that come in pieces.
#pragma once

#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>

namespace lookalike {

class Xxh3 {
 public:
  Xxh3();
  void bytes(std::span<const std::byte> data);
  // A length first, so that no two lists of texts and numbers have the same bytes.
  void text(std::string_view text);
  void number(int64_t number);
  std::string hex() const;  // 32 hexadecimal digits of what came so far

 private:
  std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state_;
};

}  // namespace lookalike
