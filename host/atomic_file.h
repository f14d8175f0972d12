// The one way a file is published: written beside its place, flushed, renamed, its folder flushed. A reader,
// a kill or a power cut sees the old file or the new one, never a part.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lookalike {

// A new file that replaces `path` at commit(). Thrown away by the destructor if commit() did not succeed.
// Every failure throws E_SYSTEM with path, reason and what to do (disk full: bytes free).
class AtomicFile {
 public:
  // reserve_bytes > 0: taken from the disk at once, so that a full disk says so before work is done.
  explicit AtomicFile(std::string path, int64_t reserve_bytes = 0);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  // In place of bytes that were written before.
  void overwrite(int64_t offset, std::span<const std::byte> bytes);
  // Open for reading too, until commit().
  int descriptor() const { return descriptor_; }
  // What of commit() can run out of space: the bytes are on the disk.
  void flush();
  void commit();

 private:
  std::string path_, temporary_;
  int descriptor_ = -1;
};

// The whole of a file in one call.
void publish_file(const std::string& path, std::span<const std::byte> bytes);

// Whether a name is one that AtomicFile gives a file before its commit.
bool is_temporary(std::string_view name);

// Removes what killed runs of AtomicFile left in `folder`. Files that a living process writes are locked and
// stay.
void sweep_temporaries(const std::string& folder);
// The same for one file's temporaries alone, where the folder is the user's; one that cannot be listed is
// left as it is.
void sweep_temporaries_of(const std::string& path);

// Makes `folder` with its parents and locks it for this process; E_IN_USE names the owner's pid where another
// run holds it. The lock ends with the process, however that ends.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  std::string path_;
  int owner_ = 0;  // pid
  int descriptor_ = -1;
};

// Whole regular file; E_DAMAGED above max_bytes, E_SYSTEM where it cannot be read.
std::string read_file(const std::string& path, int64_t max_bytes);

// XXH3-128 as 32 hexadecimal digits.
std::string xxh3_hex(std::span<const std::byte> bytes);

}  // namespace lookalike
