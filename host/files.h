// File calls that tell what went wrong: what atomic files, arrays and catalogs are built from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/error.h"

namespace lookalike {

class FileDescriptor {
 public:
  explicit FileDescriptor(int descriptor = -1) : descriptor_(descriptor) {}
  ~FileDescriptor();
  FileDescriptor(FileDescriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  FileDescriptor& operator=(FileDescriptor&&) = delete;

  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

// E_SYSTEM "cannot ACTION PATH: REASON, what to do". For a full disk: what is free of `needed` bytes there,
// or that it is inodes that ran out.
Error file_error(const std::string& action, const std::string& path, int error_number, int64_t needed = 0);

struct RegularFile {
  FileDescriptor descriptor;
  int64_t size = 0;  // bytes
};

// For reading. Throws E_SYSTEM for what cannot be opened or is no regular file; never waits on a pipe.
RegularFile open_regular(const std::string& path);

// Fills `out` from `offset`. Throws E_SYSTEM on a read error, E_DAMAGED where the file has become shorter.
void read_at(int descriptor, const std::string& path, int64_t offset, std::span<std::byte> out);

// `path` as seen from where `folder` is seen: below it unless absolute, or unless the folder has no name.
std::string path_below(const std::string& folder, const std::string& path);

// The folder that holds `path`; "." for a bare name.
std::string folder_of(const std::string& path);

// Names in a folder in byte order, without "." and "..". None where there is no such folder.
std::vector<std::string> names_in(const std::string& folder);

bool is_folder(const std::string& path);
bool exists(const std::string& path);  // of any kind, a dangling link too

// Makes a folder and its parents, durably. One that is there already is left alone.
void make_folders(const std::string& folder);

// Makes creations, renames and removals in a folder durable.
void flush_folder(const std::string& folder);

// Removes one file; one that is gone already is no error.
void remove_file(const std::string& path);

}  // namespace lookalike
