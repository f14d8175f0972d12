// Text as one word of a shell: for commands that are printed to be pasted.
#pragma once

#include <string>
#include <string_view>

namespace lookalike {

// Unchanged where a shell takes it so, in single quotes otherwise; as $'...', which bash, zsh and ksh read,
// where it has bytes that a terminal should not get.
std::string shell_word(std::string_view text);

// A file or folder as an argument: one that begins with a dash gets ./ before it.
std::string shell_path(const std::string& path);

}  // namespace lookalike
