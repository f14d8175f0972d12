#include "host/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

namespace lookalike {
namespace {

std::string reason_text(int error_number) { return std::generic_category().message(error_number); }

// Which of bytes and inodes ran out below the folder of `path`, and what to do.
std::string space_text(const std::string& path, int64_t needed) {
  struct statvfs space = {};
  if (statvfs(folder_of(path).c_str(), &space) != 0) return ", free space there and run again";
  const uint64_t free_bytes = uint64_t{space.f_bavail} * space.f_frsize;
  if (space.f_files > 0 && space.f_favail == 0 && free_bytes > 0) {
    return fmt::format(", no inodes are left though {} bytes are free, remove some files and run again",
                       free_bytes);
  }
  const std::string wanted = needed > 0 ? fmt::format("{} bytes are needed, ", needed) : "";
  return fmt::format(", {}{} are free, free space there and run again", wanted, free_bytes);
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Error file_error(const std::string& action, const std::string& path, int error_number, int64_t needed) {
  std::string message = fmt::format("cannot {} {}: {}", action, path, reason_text(error_number));
  switch (error_number) {
    case ENOSPC:
      message += space_text(path, needed);
      break;
    case EDQUOT:
      message += ", free some of your quota and run again";
      break;
    case EFBIG:
      message += ", raise the limit on file sizes (ulimit -f)";
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      message += ", choose a place that you may use";
      break;
    case EMFILE:
    case ENFILE:
      message += ", raise the limit on open files (ulimit -n)";
      break;
    default:
      break;
  }
  return system_error(message);
}

RegularFile open_regular(const std::string& path) {
  FileDescriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (descriptor.get() < 0) throw file_error("open", path, errno);
  struct stat facts = {};
  if (::fstat(descriptor.get(), &facts) != 0) throw file_error("look at", path, errno);
  if (!S_ISREG(facts.st_mode)) throw system_error("cannot read " + path + ": not a regular file");
  return {std::move(descriptor), facts.st_size};
}

void read_at(int descriptor, const std::string& path, int64_t offset, std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t count = ::pread(descriptor, out.data(), out.size(), offset);
    if (count < 0) {
      if (errno == EINTR) continue;
      throw file_error("read", path, errno);
    }
    if (count == 0) {
      throw damaged_error(
          fmt::format("{} ends at byte {} though it was longer when opened, leave it alone while it is read",
                      path, offset));
    }
    out = out.subspan(static_cast<std::size_t>(count));
    offset += count;
  }
}

std::string path_below(const std::string& folder, const std::string& path) {
  return folder.empty() || path.starts_with('/') ? path
         : folder.ends_with('/')                 ? folder + path
                                                 : folder + '/' + path;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::vector<std::string> names_in(const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(folder.c_str()), ::closedir);
  if (!directory) {
    if (errno == ENOENT) return {};
    throw file_error("list", folder, errno);
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
    errno = 0;
  }
  if (errno != 0) throw file_error("list", folder, errno);
  std::sort(names.begin(), names.end());
  return names;
}

bool is_folder(const std::string& path) {
  struct stat facts = {};
  return ::stat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
}

bool exists(const std::string& path) {
  struct stat facts = {};
  if (::lstat(path.c_str(), &facts) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  throw file_error("look at", path, errno);
}

void make_folders(const std::string& folder) {
  if (folder.empty()) throw usage_error("the name of a folder is empty, give one");
  std::size_t end = 0;
  while (end < folder.size()) {
    end = std::min(folder.find('/', end + 1), folder.size());
    const std::string part = folder.substr(0, end);
    if (::mkdir(part.c_str(), 0777) == 0) {
      flush_folder(folder_of(part));
      continue;
    }
    const int error_number = errno;
    if (is_folder(part)) continue;
    if (exists(part)) throw system_error("cannot make folder " + folder + ": " + part + " is not a folder");
    throw file_error("make folder", part, error_number);
  }
}

void flush_folder(const std::string& folder) {
  const FileDescriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.get() < 0) throw file_error("open folder", folder, errno);
  // Some file systems cannot flush a folder and say EINVAL: there is nothing more that can be done there.
  if (::fsync(descriptor.get()) != 0 && errno != EINVAL) throw file_error("flush folder", folder, errno);
}

void remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw file_error("remove", path, errno);
}

}  // namespace lookalike
