#include "host/shell_word.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <memory>

namespace lookalike {
namespace {

// What bash makes of `word`.
std::string read_by_bash(const std::string& word) {
  const std::string script = "printf '%s.' " + word;
  std::string quoted;
  for (const char c : script) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(("bash -c '" + quoted + "'").c_str(), "r"), pclose);
  std::string text;
  std::array<char, 256> buffer{};
  while (const std::size_t count = fread(buffer.data(), 1, buffer.size(), pipe.get())) {
    text.append(buffer.data(), count);
  }
  return text.empty() ? text : text.substr(0, text.size() - 1);
}

TEST(ShellWord, LeavesPlainTextAlone) {
  EXPECT_EQ(shell_word("photos/a-b_1.png"), "photos/a-b_1.png");
  EXPECT_EQ(shell_word("a b"), "'a b'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("Größe"), "'Größe'");
  EXPECT_EQ(shell_word("a\nb"), "$'a\\x0ab'");
}

TEST(ShellWord, IsReadBackByAShell) {
  for (const std::string text : {"a b", "it's", "", "$HOME", "`id`", "a\\b", "*", "~", "#x", "a\nb'c\\d",
                                 "\x1b[31m", "\xff\xfe", "!x", "a;b&c|d", "\"q\"", "{a,b}", "Größe €",
                                 "\x01"
                                 "1",
                                 "tab\there"}) {
    EXPECT_EQ(read_by_bash(shell_word(text)), text);
  }
}

TEST(ShellWord, APathIsNoFlag) {
  EXPECT_EQ(shell_path("-x"), "./-x");
  EXPECT_EQ(shell_path("-"), "-");
  EXPECT_EQ(shell_path("a/-x"), "a/-x");
}

}  // namespace
}  // namespace lookalike
