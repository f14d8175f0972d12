// Any bytes as UTF-8 text and back, for places that take nothing else (JSON): file names and the columns of a
// CSV may be in any encoding.
#pragma once

#include <string>

namespace lookalike {

// UTF-8 stays as it is; other bytes become "hex:" and their digits. UTF-8 that begins with "hex:" is written
// so too, which makes the way back unambiguous.
std::string bytes_to_text(const std::string& bytes);
std::string text_to_bytes(const std::string& text);

}  // namespace lookalike
