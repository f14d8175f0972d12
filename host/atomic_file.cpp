#include "host/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "engine/error.h"
#include "host/files.h"
#include "host/fingerprint.h"

namespace lookalike {
namespace {

constexpr std::string_view kTemporaryMark = ".tmp-";
// Leaves room for mark, pid and counter in a name of at most 255 bytes.
constexpr std::size_t kKeptNameBytes = 200;

// ".NAME.tmp-": what the names of all temporaries of `path` begin with.
std::string temporary_prefix(const std::string& path) {
  return fmt::format(".{}{}", path.substr(path.rfind('/') + 1).substr(0, kKeptNameBytes), kTemporaryMark);
}

std::string temporary_path(const std::string& path, int counter) {
  return fmt::format("{}/{}{}-{}", folder_of(path), temporary_prefix(path), ::getpid(), counter);
}

std::size_t digits_at(std::string_view text, std::size_t first) {
  std::size_t end = first;
  while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
  return end - first;
}

bool same_file(int descriptor, const std::string& path) {
  struct stat held = {}, named = {};
  return ::fstat(descriptor, &held) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

// Marks a temporary as a living process's, until its last descriptor is closed. False where a sweep took the
// new file for one that a killed process left. Where a file system has no locks, sweeps remove nothing.
bool hold(int descriptor, const std::string& temporary) {
  while (::flock(descriptor, LOCK_EX) != 0 && errno == EINTR) continue;
  return same_file(descriptor, temporary);
}

void remove_unless_held(const std::string& temporary) {
  const FileDescriptor file(::open(temporary.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file.get() < 0 || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) return;
  // By now another file may have the name.
  if (same_file(file.get(), temporary)) remove_file(temporary);
}

int reserve(int descriptor, int64_t bytes) {
  int result = EINTR;
  while (result == EINTR) result = ::posix_fallocate(descriptor, 0, bytes);
  // A file system that cannot reserve says so; the writes then find out for themselves.
  return result == EOPNOTSUPP || result == EINVAL ? 0 : result;
}

}  // namespace

// ".NAME.tmp-<pid>-<counter>"
bool is_temporary(std::string_view name) {
  const std::size_t mark = name.rfind(kTemporaryMark);
  if (name.front() != '.' || mark == std::string_view::npos || mark < 2) return false;
  const std::size_t pid = mark + kTemporaryMark.size();
  const std::size_t pid_digits = digits_at(name, pid);
  const std::size_t dash = pid + pid_digits;
  if (pid_digits == 0 || dash >= name.size() || name[dash] != '-') return false;
  const std::size_t counter_digits = digits_at(name, dash + 1);
  return counter_digits > 0 && dash + 1 + counter_digits == name.size();
}

AtomicFile::AtomicFile(std::string path, int64_t reserve_bytes) : path_(std::move(path)) {
  if (path_.empty() || path_.back() == '/') throw usage_error("'" + path_ + "' is not a file name");
  // Refused before the work, not at the rename after it.
  if (is_folder(path_)) throw system_error("cannot write " + path_ + ": it is a folder");
  // The rename would put a file in the place of a device or a pipe.
  struct stat there = {};
  if (::stat(path_.c_str(), &there) == 0 && !S_ISREG(there.st_mode)) {
    throw system_error("cannot write " + path_ + ": it is no regular file, take another name");
  }
  for (int counter = 0; descriptor_ < 0; ++counter) {
    temporary_ = temporary_path(path_, counter);
    descriptor_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno != EEXIST && errno != EINTR) throw file_error("write", path_, errno);
    if (descriptor_ >= 0 && !hold(descriptor_, temporary_)) ::close(std::exchange(descriptor_, -1));
  }
  const int failure = reserve_bytes > 0 ? reserve(descriptor_, reserve_bytes) : 0;
  if (failure != 0) {
    ::close(descriptor_);
    ::unlink(temporary_.c_str());
    throw file_error("write", path_, failure, reserve_bytes);
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0) {
      if (errno == EINTR) continue;
      throw file_error("write", path_, errno, static_cast<int64_t>(bytes.size()));
    }
    if (count == 0) throw file_error("write", path_, EIO);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void AtomicFile::overwrite(int64_t offset, std::span<const std::byte> bytes) {
  const off_t end = ::lseek(descriptor_, 0, SEEK_CUR);
  if (end < 0 || ::lseek(descriptor_, offset, SEEK_SET) < 0) throw file_error("write", path_, errno);
  if (offset < 0 || std::ssize(bytes) > end - offset) {
    throw std::out_of_range(fmt::format("bytes {} + {} of {} are written anew", offset, bytes.size(), end));
  }
  write(bytes);
  if (::lseek(descriptor_, end, SEEK_SET) < 0) throw file_error("write", path_, errno);
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::flush() {
  // What was reserved but not written goes back.
  const off_t written = ::lseek(descriptor_, 0, SEEK_CUR);
  if (written < 0 || ::ftruncate(descriptor_, written) != 0) throw file_error("write", path_, errno);
  // A second fsync after a failed one may report success for lost data: any failure ends here.
  if (::fsync(descriptor_) != 0) throw file_error("flush", path_, errno, written);
}

void AtomicFile::commit() {
  flush();
  // Still held when it is renamed, though a close that fails has to be known before.
  const FileDescriptor held(::dup(descriptor_));
  if (held.get() < 0) throw file_error("close", path_, errno);
  // After EINTR the descriptor is closed on Linux, and its data is already flushed.
  const int descriptor = std::exchange(descriptor_, -1);
  if (::close(descriptor) != 0 && errno != EINTR) throw file_error("close", path_, errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) throw file_error("publish", path_, errno);
  temporary_.clear();
  flush_folder(folder_of(path_));
}

void sweep_temporaries(const std::string& folder) {
  for (const std::string& name : names_in(folder)) {
    if (is_temporary(name)) remove_unless_held(fmt::format("{}/{}", folder, name));
  }
}

void sweep_temporaries_of(const std::string& path) try {
  const std::string folder = folder_of(path), prefix = temporary_prefix(path);
  for (const std::string& name : names_in(folder)) {
    if (name.starts_with(prefix) && is_temporary(name))
      remove_unless_held(fmt::format("{}/{}", folder, name));
  }
} catch (const Error&) {  // a folder that may be written and not listed
}

void publish_file(const std::string& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

namespace {

std::string owner_text(int descriptor) {
  std::array<char, 300> text{};
  const ssize_t count = ::pread(descriptor, text.data(), text.size(), 0);
  std::string owner(text.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  owner.erase(std::min(owner.find('\n'), owner.size()));
  return owner.empty() ? "another run" : owner;
}

}  // namespace

FolderLock::FolderLock(const std::string& folder) : path_(folder + "/.lock"), owner_(::getpid()) {
  make_folders(folder);
  for (;;) {
    FileDescriptor descriptor(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (descriptor.get() < 0) throw file_error("write", path_, errno);
    if (::flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno != EWOULDBLOCK) throw file_error("lock", path_, errno);
      throw in_use_error(fmt::format("{} is in use by {}, wait for it to end or use another folder", folder,
                                     owner_text(descriptor.get())));
    }
    // The owner before removes the file when it ends: a lock on a removed file excludes nobody.
    if (!same_file(descriptor.get(), path_)) continue;

    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    const std::string owner = fmt::format("process {} on {}\n", owner_, host.data());
    if (::ftruncate(descriptor.get(), 0) != 0) throw file_error("write", path_, errno);
    const ssize_t count = ::pwrite(descriptor.get(), owner.data(), owner.size(), 0);
    if (count != static_cast<ssize_t>(owner.size())) {
      throw file_error("write", path_, count < 0 ? errno : ENOSPC, static_cast<int64_t>(owner.size()));
    }
    descriptor_ = descriptor.release();
    return;
  }
}

FolderLock::~FolderLock() {
  // Removed while the lock is held, and by its owner alone: not by a forked child that ends.
  if (owner_ == ::getpid() && same_file(descriptor_, path_)) ::unlink(path_.c_str());
  ::close(descriptor_);
}

std::string read_file(const std::string& path, int64_t max_bytes) {
  const RegularFile file = open_regular(path);
  if (file.size > max_bytes) {
    throw damaged_error(fmt::format("{} has {} bytes, more than the {} that such a file can have", path,
                                    file.size, max_bytes));
  }
  std::string text(static_cast<std::size_t>(file.size), '\0');
  read_at(file.descriptor.get(), path, 0, std::as_writable_bytes(std::span(text)));
  return text;
}

std::string xxh3_hex(std::span<const std::byte> bytes) {
  Fingerprint hash;
  hash.add_raw(bytes);
  return hash.hex();
}

}  // namespace lookalike
