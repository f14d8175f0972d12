#include "host/atomic_file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "tests/host/scratch.h"

namespace lookalike {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class AtomicFileTest : public ScratchTest {
 protected:
  static void publish(const std::string& path, const std::string& text, int64_t reserve = 0) {
    AtomicFile file(path, reserve);
    file.write(text);
    file.commit();
  }
};

// Runs `act` in a child process; its exit status.
int in_child(const std::function<int()>& act) {
  const pid_t child = fork();
  if (child == 0) _exit(act());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST_F(AtomicFileTest, ShowsNothingBeforeTheCommitAndAllAfterIt) {
  put("a", "old");
  AtomicFile file(at("a"));
  file.write("new ");
  file.write("bytes");
  EXPECT_EQ(get("a"), "old");
  file.commit();
  EXPECT_EQ(get("a"), "new bytes");
  EXPECT_THAT(tree(folder_), ElementsAre("a"));
}

TEST_F(AtomicFileTest, IsThrownAwayWithoutCommit) {
  put("a", "old");
  {
    AtomicFile file(at("a"));
    file.write("half");
    EXPECT_EQ(tree(folder_).size(), 2U);
  }
  EXPECT_EQ(get("a"), "old");
  EXPECT_THAT(tree(folder_), ElementsAre("a"));
}

TEST_F(AtomicFileTest, GivesBackWhatWasReservedAndNotWritten) {
  publish(at("a"), "short", 1 << 20);
  EXPECT_EQ(get("a"), "short");
  publish(at("b"), "longer than it was thought to be", 4);
  EXPECT_EQ(get("b"), "longer than it was thought to be");
}

TEST_F(AtomicFileTest, HasTheModeThatTheUserWants) {
  for (const mode_t mask : {0000, 0022, 0077}) {
    const mode_t before = umask(mask);
    publish(at("a"), "text");
    umask(before);
    struct stat facts = {};
    ASSERT_EQ(stat(at("a").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777U, 0666U & ~mask);
  }
}

TEST_F(AtomicFileTest, TakesTheLongestNames) {
  const std::string name(255, 'x');
  publish(at(name), "text");
  EXPECT_EQ(get(name), "text");
}

TEST_F(AtomicFileTest, WritesBesideABareName) {
  ASSERT_EQ(in_child([&] {
              if (chdir(folder_.c_str()) != 0) return 2;
              publish("bare", "text");
              return 0;
            }),
            0);
  EXPECT_EQ(get("bare"), "text");
}

TEST_F(AtomicFileTest, ManyWritersOfOneFileNeverMix) {
  std::vector<std::thread> writers;
  for (int w = 0; w < 4; ++w) {
    writers.emplace_back([&, w] {
      for (int i = 0; i < 50; ++i) publish(at("a"), std::string(1000, static_cast<char>('a' + w)));
    });
  }
  for (int i = 0; i < 200; ++i) {
    const std::string bytes = get("a");
    if (!bytes.empty()) {
      ASSERT_EQ(bytes, std::string(1000, bytes[0]));
    }
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_THAT(tree(folder_), ElementsAre("a"));
}

TEST_F(AtomicFileTest, NamesWhatCannotBeWritten) {
  expect_error(ExitCode::kSystem, at("none/a"), [&] { AtomicFile file(at("none/a")); });
  put("file", "");
  expect_error(ExitCode::kSystem, at("file/a"), [&] { AtomicFile file(at("file/a")); });
  std::filesystem::create_directory(at("folder"));
  expect_error(ExitCode::kSystem, at("folder"), [&] { AtomicFile file(at("folder")); });
  expect_error(ExitCode::kUsage, "not a file name", [&] { AtomicFile file(at("folder/")); });
  expect_error(ExitCode::kUsage, "not a file name", [&] { AtomicFile file(""); });
}

TEST_F(AtomicFileTest, SaysThatTheRenameFailedAndLeavesNoRest) {
  AtomicFile file(at("a"));
  file.write("text");
  std::filesystem::create_directory(at("a"));
  expect_error(ExitCode::kSystem, "publish " + at("a"), [&] { file.commit(); });
  EXPECT_TRUE(std::filesystem::is_directory(at("a")));
}

// The largest file that a process may write stands for the end of the disk: writes then fail half way.
TEST_F(AtomicFileTest, KeepsTheOldFileWhereTheNewOneDoesNotFit) {
  put("a", "old");
  for (const int64_t reserve : {int64_t{0}, int64_t{100'000}}) {
    const int status = in_child([&] {
      signal(SIGXFSZ, SIG_IGN);
      const rlimit limit = {10'000, 10'000};
      setrlimit(RLIMIT_FSIZE, &limit);
      try {
        publish(at("a"), std::string(100'000, 'x'), reserve);
      } catch (const Error& error) {
        const std::string text = error.what();
        return text.find(at("a")) != std::string::npos && text.find("ulimit -f") != std::string::npos
                   ? static_cast<int>(error.code())
                   : 100;
      }
      return 0;
    });
    EXPECT_EQ(status, static_cast<int>(ExitCode::kSystem)) << "with " << reserve << " bytes reserved";
    EXPECT_EQ(get("a"), "old");
    EXPECT_THAT(tree(folder_), ElementsAre("a"));
  }
}

TEST_F(AtomicFileTest, SaysHowMuchIsNeededAndFree) {
  // More than any disk has; where holes can be reserved without end there is no error to look at.
  try {
    AtomicFile file(at("a"), int64_t{1} << 60);
    GTEST_SKIP() << "this file system reserves an exbibyte";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kSystem);
    EXPECT_THAT(error.what(), HasSubstr(at("a")));
  }
  EXPECT_THAT(tree(folder_), IsEmpty());
}

TEST_F(AtomicFileTest, IsSweptAfterAKill) {
  EXPECT_EQ(in_child([&] {
              AtomicFile file(at("a"));
              file.write("half");
              raise(SIGKILL);
              return 0;
            }),
            128 + SIGKILL);
  ASSERT_EQ(tree(folder_).size(), 1U);
  for (const char* name :
       {".a.tmp-1-0x", ".a.tmp-1", ".a.tmp--1", "a.tmp-1-1", ".tmp-1-1", ".a.tmp-x-1", "b"}) {
    put(name, "mine");
  }
  std::filesystem::create_directory(at(".hidden"));
  sweep_temporaries(folder_);
  EXPECT_EQ(tree(folder_).size(), 8U);
  sweep_temporaries(at("none"));
}

TEST_F(AtomicFileTest, IsNotSweptWhileItIsWritten) {
  AtomicFile file(at("a"));
  file.write("half");
  put(".a.tmp-1-0", "left by a kill");
  put(".b.tmp-1-0", "another file's");
  sweep_temporaries_of(at("a"));
  EXPECT_EQ(tree(folder_).size(), 2U) << "its own and the other file's";
  sweep_temporaries(folder_);
  EXPECT_EQ(tree(folder_).size(), 1U);
  file.write(" and whole");
  file.commit();
  EXPECT_EQ(get("a"), "half and whole");
  sweep_temporaries_of(at("none/a"));
}

TEST_F(AtomicFileTest, SweepsAndWritersDoNotMeet) {
  std::atomic<bool> writing = true;
  std::thread sweeper([&] {
    while (writing) sweep_temporaries(folder_);
  });
  for (int i = 0; i < 500; ++i) publish(at("a"), std::to_string(i));
  writing = false;
  sweeper.join();
  EXPECT_EQ(get("a"), "499");
  EXPECT_THAT(tree(folder_), ElementsAre("a"));
}

TEST_F(AtomicFileTest, LocksAFolderUntilItsProcessEnds) {
  const std::string folder = at("deep/er/one");
  int ready[2], go[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(go), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(go[1]);
    const FolderLock lock(folder);
    char byte = 'x';
    if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) < 0) _exit(1);
    raise(SIGKILL);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  expect_error(ExitCode::kInUse, "process " + std::to_string(child) + " on ",
               [&] { FolderLock lock(folder); });
  close(go[1]);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(tree(folder).size(), 1U) << "the killed owner leaves its file";
  { const FolderLock lock(folder); }
  EXPECT_THAT(tree(folder), IsEmpty());
  for (const int end : {ready[0], ready[1], go[0]}) close(end);
}

TEST_F(AtomicFileTest, AChildThatEndsDoesNotUnlockTheFolder) {
  const FolderLock lock(at("f"));
  EXPECT_EQ(in_child([&] {
              const_cast<FolderLock&>(lock).~FolderLock();
              return 0;
            }),
            0);
  expect_error(ExitCode::kInUse, std::to_string(getpid()), [&] { FolderLock second(at("f")); });
}

TEST_F(AtomicFileTest, NamesTheFileThatIsInAFoldersPlace) {
  put("file", "");
  expect_error(ExitCode::kSystem, at("file") + " is not a folder",
               [&] { FolderLock lock(at("file/below")); });
  expect_error(ExitCode::kSystem, at("file") + " is not a folder", [&] { FolderLock lock(at("file")); });
}

TEST_F(AtomicFileTest, ReadsRegularFilesWithinTheLimit) {
  put("a", std::string("with\0zero", 9));
  EXPECT_EQ(read_file(at("a"), 9), std::string("with\0zero", 9));
  expect_error(ExitCode::kDamaged, "9 bytes", [&] { read_file(at("a"), 8); });
  expect_error(ExitCode::kSystem, at("none"), [&] { read_file(at("none"), 8); });
  expect_error(ExitCode::kSystem, "not a regular file", [&] { read_file(folder_, 8); });
  ASSERT_EQ(mkfifo(at("pipe").c_str(), 0600), 0);
  expect_error(ExitCode::kSystem, "not a regular file", [&] { read_file(at("pipe"), 8); });
}

TEST_F(AtomicFileTest, HashesAsXxhsumDoes) { EXPECT_EQ(xxh3_hex({}), "99aa06d3014798d86001c324468d497f"); }

}  // namespace
}  // namespace lookalike
