// Results on standard output.
#pragma once

#include <string_view>

namespace lookalike {

// Writes and flushes. Throws E_SYSTEM where that fails, Interrupted(SIGPIPE) where the reader has gone
// (`| head -1`): nobody is left to tell, so the program ends without a word.
void print_output(std::string_view text);

}  // namespace lookalike
