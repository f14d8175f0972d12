// A folder for one test, files in it, and errors looked at.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "engine/error.h"

namespace lookalike {

class ScratchTest : public testing::Test {
 protected:
  ScratchTest() {
    std::string name = testing::TempDir() + "lookalike-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder at " + name);
    folder_ = name;
  }
  ~ScratchTest() override { std::filesystem::remove_all(folder_); }

  std::string at(const std::string& name) const { return folder_ + "/" + name; }
  std::string put(const std::string& name, const std::string& bytes) const {
    // A new file: one that is cut and written again is flushed to the disk by some file systems.
    std::filesystem::remove(at(name));
    std::ofstream(at(name), std::ios::binary) << bytes;
    return at(name);
  }
  std::string get(const std::string& name) const { return bytes_of(at(name)); }

  static std::string bytes_of(const std::string& path) {
    std::stringstream out;
    out << std::ifstream(path, std::ios::binary).rdbuf();
    return out.str();
  }

  // Everything below a folder, as paths from there, sorted.
  static std::vector<std::string> tree(const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      names.push_back(std::filesystem::relative(entry.path(), folder).string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::string folder_;
};

// `act` throws an Error of this code whose text has this part.
inline void expect_error(ExitCode code, const std::string& part, const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_THAT(error.what(), testing::HasSubstr(part));
    return;
  }
  ADD_FAILURE() << "no error, where one should say: " << part;
}

}  // namespace lookalike
