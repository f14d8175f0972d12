#include "host/fingerprint.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <array>
#include <new>

namespace lookalike {

Fingerprint::Fingerprint() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  XXH3_128bits_reset(state_.get());
}

void Fingerprint::Release::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

void Fingerprint::add(std::string_view field) {
  add(static_cast<uint64_t>(field.size()));
  XXH3_128bits_update(state_.get(), field.data(), field.size());
}

void Fingerprint::add(uint64_t number) {
  std::array<unsigned char, 8> bytes;  // little-endian on every machine
  for (unsigned i = 0; i < 8; ++i) bytes[i] = static_cast<unsigned char>(number >> (8 * i));
  XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
}

void Fingerprint::add_raw(std::span<const std::byte> bytes) {
  XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
}

std::string Fingerprint::hex() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace lookalike
