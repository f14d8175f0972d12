#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "engine/error.h"
#include "tests/host/photo_makers.h"

namespace lookalike {
namespace {

using ::testing::HasSubstr;
using namespace lookalike::testing;

std::string refusal(const std::string& path, const PhotoLimits& limits = {}) {
  try {
    read_photo_file(path, limits);
    return "";
  } catch (const RefusedPhoto& refusal) {
    return refusal.what();
  }
}

TEST(PhotoRead, ReadsAWholeFile) {
  const TemporaryFolder folder;
  const File content = encoded(".png", gradient(31, 17));
  EXPECT_EQ(read_photo_file(folder.write("a.png", content), {}), content);
}

TEST(PhotoRead, FollowsALinkToAFile) {
  const TemporaryFolder folder;
  folder.write("a.png", "content");
  ASSERT_EQ(symlink("a.png", (folder / "link.png").c_str()), 0);
  EXPECT_EQ(refusal(folder / "link.png"), "");
}

TEST(PhotoRead, NamesMayHoldAnything) {
  const TemporaryFolder folder;
  for (const char* name : {"with spaces.jpg", "new\nline.jpg", "\xFF\xFE.jpg", "-", "'\"$x.jpg"}) {
    EXPECT_EQ(refusal(folder.write(name, "content")), "") << name;
  }
}

TEST(PhotoRead, RefusesWhatIsNoFileAtOnce) {
  const TemporaryFolder folder;
  ASSERT_EQ(mkfifo((folder / "fifo.jpg").c_str(), 0600), 0);
  EXPECT_EQ(refusal(folder / "fifo.jpg"), "not a regular file");
  EXPECT_EQ(refusal(folder.path()), "not a regular file");
  EXPECT_EQ(refusal("/dev/zero"), "not a regular file");

  const int socket_number = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = folder / "s.jpg";
  ASSERT_LT(name.size(), sizeof address.sun_path);
  std::strcpy(address.sun_path, name.c_str());
  ASSERT_EQ(::bind(socket_number, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(refusal(name), "not a regular file");
  ::close(socket_number);
}

TEST(PhotoRead, SaysWhyThereIsNothingToRead) {
  const TemporaryFolder folder;
  EXPECT_EQ(refusal(folder / "absent.jpg"), "no such file");
  EXPECT_EQ(refusal(folder.write("empty.jpg", "")), "empty");
  ASSERT_EQ(symlink("loop.jpg", (folder / "loop.jpg").c_str()), 0);
  EXPECT_THAT(refusal(folder / "loop.jpg"), HasSubstr("cannot be opened: "));
}

TEST(PhotoRead, LimitsTheFile) {
  const TemporaryFolder folder;
  const std::string path = folder.write("a.jpg", "0123456789");
  PhotoLimits limits;
  limits.file_bytes = 10;
  EXPECT_EQ(refusal(path, limits), "");
  limits.file_bytes = 9;
  EXPECT_EQ(refusal(path, limits), "file of 10 bytes, more than the limit of 9");
  ASSERT_EQ(truncate(path.c_str(), off_t{1} << 40), 0);  // nothing of a sparse terabyte is read
  EXPECT_EQ(refusal(path), "file of 1099511627776 bytes, more than the limit of 67108864");
}

TEST(PhotoRead, RefusesAFileThatShrinks) {
  // The kernel's attribute files say 4096 bytes and hold a line.
  const std::string path = "/sys/kernel/mm/transparent_hugepage/enabled";
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0 || facts.st_size < 1000)
    GTEST_SKIP() << "no file here shrinks on reading";
  EXPECT_EQ(refusal(path), "changed while it was read");
}

TEST(PhotoRead, RunningOutOfFilesIsNotThePhotosFault) {
  const TemporaryFolder folder;
  const std::string path = folder.write("a.jpg", "content");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = ::dup(0);
  ASSERT_GE(next, 0);
  ::close(next);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(next);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  std::string name;
  try {
    read_photo_file(path, {});
  } catch (const Error& error) {
    name = error.name();
  } catch (const RefusedPhoto&) {
    name = "refused";
  }
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(name, "E_SYSTEM");
}

TEST(PhotoRead, LoadingARefusedFileZeroesThePixels) {
  const TemporaryFolder folder;
  cv::Mat pixels(150, 150, CV_8UC3, cv::Scalar(7, 7, 7));
  EXPECT_THROW(load_photo(folder / "absent.jpg", {}, {}, pixels.data), RefusedPhoto);
  EXPECT_TRUE(all_zero(pixels));
}

}  // namespace
}  // namespace lookalike
