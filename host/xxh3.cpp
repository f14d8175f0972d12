#include "host/xxh3.h"

#include <fmt/format.h>

#include <bit>

#include "host/atomic_file.h"

namespace lookalike {
namespace {

std::string hex_text(XXH128_hash_t hash) { return fmt::format("{:016x}{:016x}", hash.high64, hash.low64); }

}  // namespace

std::string xxh3_hex(std::span<const std::byte> bytes) {
  return hex_text(XXH3_128bits(bytes.data(), bytes.size()));
}

Xxh3::Xxh3() : state_(XXH3_createState(), XXH3_freeState) {
  if (!state_ || XXH3_128bits_reset(state_.get()) != XXH_OK) throw std::bad_alloc();
}

void Xxh3::bytes(std::span<const std::byte> data) {
  XXH3_128bits_update(state_.get(), data.data(), data.size());
}

void Xxh3::text(std::string_view text) {
  number(static_cast<int64_t>(text.size()));
  bytes(std::as_bytes(std::span(text)));
}

void Xxh3::number(int64_t number) {
  static_assert(std::endian::native == std::endian::little);
  bytes(std::as_bytes(std::span(&number, 1)));
}

std::string Xxh3::hex() const { return hex_text(XXH3_128bits_digest(state_.get())); }

}  // namespace lookalike
