// export --ids publishes two files. A run that is killed at any of its renames never leaves codes beside ids
// of others.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "host/export_run.h"
#include "host/files.h"
#include "tests/host/grouped_catalog.h"
#include "tests/host/scratch.h"

namespace {
int renames_left = -1;  // until the process ends; negative: it never does
}

// In place of the C library's.
extern "C" int rename(const char* from, const char* to) noexcept {
  if (renames_left >= 0 && renames_left-- == 0) _exit(9);
  return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

namespace lookalike {
namespace {

class ExportKillTest : public ScratchTest {};

TEST_F(ExportKillTest, CodesNeverStandBesideIdsOfOthers) {
  test::make_grouped_catalog(at("c"), 3, 3, 1);
  const std::string codes = at("x.npy"), ids = at("x.txt");
  const auto run = [&](int renames) {
    const pid_t child = fork();
    if (child == 0) {
      renames_left = renames;
      ExportCommandOptions options;
      options.catalog = at("c");
      options.output = codes;
      options.ids = ids;
      options.talk.quiet = true;
      _exit(run_export(options));
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  for (int renames = 0;; ++renames) {
    for (const std::string& path : {codes, ids}) std::ofstream(path) << "before";
    const int code = run(renames);
    const bool is_new = bytes_of(codes) != "before";
    if (code == 0) {
      EXPECT_EQ(renames, 2);
      EXPECT_TRUE(is_new);
      EXPECT_EQ(bytes_of(ids), "item 0\nitem 1\nitem 2\n");
      return;
    }
    ASSERT_EQ(code, 9);
    EXPECT_EQ(is_new, renames == 1);
    EXPECT_FALSE(exists(ids)) << "after " << renames << " renames";
  }
}

}  // namespace
}  // namespace lookalike
