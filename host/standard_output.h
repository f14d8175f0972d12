// Results on standard output, and the descriptors that must not become files of ours.
#pragma once

#include <string_view>

namespace lookalike {

// Writes and flushes. Throws E_SYSTEM where that fails, Interrupted(SIGPIPE) where the reader has gone
// (`| head -1`): nobody is left to tell, so the program ends without a word.
void print_output(std::string_view text);

// Puts /dev/null, opened so that writing fails, where standard input, output or error is closed: a file
// opened later would take its number and what is printed.
void keep_standard_descriptors();

}  // namespace lookalike
