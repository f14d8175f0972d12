#include "host/npy.h"

#include <cstring>
#include <limits>

#include "tests/host/scratch.h"

namespace lookalike {
namespace {

class NpyTest : public ScratchTest {
 protected:
  static std::string floats(const std::vector<float>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
  }

  // A file of `header`'s text as numpy's version 1.0, padded to `size` bytes, then `data_bytes` zeros.
  static std::string file(const std::string& dict, std::size_t data_bytes, std::size_t size = 128) {
    std::string bytes("\x93NUMPY\x01\x00", 8);
    bytes += static_cast<char>((size - 10) & 0xFF);
    bytes += static_cast<char>((size - 10) >> 8);
    bytes += dict;
    if (bytes.size() < size) bytes.resize(size - 1, ' ');
    return bytes + "\n" + std::string(data_bytes, '\0');
  }
};

TEST_F(NpyTest, WritesNumpysOwnHeader) {
  EXPECT_EQ(npy_header(3, 2888), file("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2888), }", 0));
  const int64_t most = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(npy_header(most, most).size(), 128U);
  EXPECT_EQ(npy_header(most, most).back(), '\n');
}

TEST_F(NpyTest, AGrowingFileIsTheOneWrittenAtOnce) {
  std::vector<float> values(300 * 1000);  // more than one block of its checksum
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) - 4.5F;
  const std::string whole = npy_header(300, 1000) + floats(values);
  NpyWriter writer(at("a.npy"), 1000);
  const std::span<const float> all(values);
  writer.append(all.first(1000));
  writer.append({});
  writer.append(all.subspan(1000));
  EXPECT_EQ(writer.rows(), 300);
  EXPECT_FALSE(std::filesystem::exists(at("a.npy")));
  EXPECT_THROW(writer.append(all.first(999)), std::invalid_argument);
  EXPECT_EQ(writer.commit(), xxh3_hex(std::as_bytes(std::span(whole))));
  EXPECT_EQ(get("a.npy"), whole);
}

TEST_F(NpyTest, ReadsRowsAnywhere) {
  std::vector<float> values(7 * 3);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) - 4.5F;
  const NpyReader reader(put("a.npy", npy_header(7, 3) + floats(values)));
  EXPECT_EQ(reader.rows(), 7);
  EXPECT_EQ(reader.columns(), 3);
  for (int64_t first = 0; first <= 7; ++first) {
    for (int64_t count = 0; first + count <= 7; ++count) {
      std::vector<float> out(static_cast<std::size_t>(count * 3));
      reader.read_rows(first, count, out);
      EXPECT_EQ(floats(out), floats(values).substr(static_cast<std::size_t>(first * 12),
                                                   static_cast<std::size_t>(count * 12)));
    }
  }
  std::vector<float> out(6);
  for (const auto& [first, count] : {std::pair<int64_t, int64_t>{6, 2}, {-1, 2}, {0, 1}, {0, -1}}) {
    EXPECT_THROW(reader.read_rows(first, count, out), std::out_of_range) << first << " " << count;
  }
}

TEST_F(NpyTest, TakesNoRows) {
  const NpyReader reader(put("a.npy", npy_header(0, 2888)));
  EXPECT_EQ(reader.rows(), 0);
  reader.read_rows(0, 0, {});
}

TEST_F(NpyTest, SaysWhenAFileBecameShorterWhileItWasRead) {
  const NpyReader reader(put("a.npy", npy_header(2, 2) + floats({1, 2, 3, 4})));
  std::filesystem::resize_file(at("a.npy"), 140);
  std::vector<float> out(4);
  expect_error(ExitCode::kDamaged, "ends at byte 140", [&] { reader.read_rows(0, 2, out); });
}

TEST_F(NpyTest, TakesNoCutAndNoExtraByte) {
  const std::string whole = npy_header(2, 3) + floats({1, 2, 3, 4, 5, 6});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    expect_error(ExitCode::kDamaged, at("a.npy"), [&] { NpyReader(put("a.npy", whole.substr(0, size))); });
  }
  expect_error(ExitCode::kDamaged, "25 bytes", [&] { NpyReader(put("a.npy", whole + "x")); });
}

TEST_F(NpyTest, TakesNoFlippedHeader) {
  const std::string whole = npy_header(2, 3) + floats({1, 2, 3, 4, 5, 6});
  for (std::size_t bit = 0; bit < 128 * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    expect_error(ExitCode::kDamaged, at("a.npy"), [&] { NpyReader(put("a.npy", flipped)); });
  }
}

TEST_F(NpyTest, RefusesEveryOtherHeader) {
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  ASSERT_NO_THROW(NpyReader(put("good.npy", file(good, 24))));
  const auto dict = [](const std::string& descr, const std::string& order, const std::string& shape) {
    return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  };
  const auto shape = [&](const std::string& text) { return file(dict("'<f4'", "False", text), 24); };
  const auto descr = [&](const std::string& text) { return file(dict(text, "False", "(2, 3)"), 24); };
  std::string version2 = file(good, 24), version3 = version2, huge2 = version2;
  version2[6] = 2;
  version3[6] = 3;
  huge2.replace(6, 6, "\x02\x00\xFF\xFF\xFF\xFF", 6);
  std::string no_magic = file(good, 24), minor = no_magic, length0 = no_magic, length_all = no_magic;
  no_magic[0] = 'x';
  minor[7] = 1;
  length0.replace(8, 2, std::string(2, '\0'));
  length_all.replace(8, 2, "\xFF\xFF");
  std::string past_end = no_magic;
  past_end = file(good, 24);
  past_end[8] = 127;
  std::string no_newline = file(good, 24);
  no_newline[127] = ' ';

  const std::vector<std::string> bad = {
      shape("(-2, 3)"),
      shape("(2, -3)"),
      shape("(18446744073709551618, 3)"),
      shape("(9223372036854775808, 3)"),
      shape("(4194305, 4194305, 211106198978564)"),
      shape("(4611686018427387906, 3)"),
      shape("(4294967296, 4294967297)"),
      shape("(2junk, 3)"),
      shape("(2, 3junk)"),
      shape("(0x2, 3)"),
      shape("(02, 3)"),
      shape("(2, 03)"),
      shape("(+2, 3)"),
      shape("( 2, 3)"),
      shape("(2,3)"),
      shape("(2 , 3)"),
      shape("(2, 3,)"),
      shape("(2L, 3L)"),
      shape("(2.0, 3)"),
      shape("(2e0, 3)"),
      shape("(6,)"),
      shape("()"),
      shape("(2, 3, 1)"),
      shape("(1, 2, 3)"),
      shape("[2, 3]"),
      shape("(np.int64(2), 3)"),
      shape("(3, 3)"),
      shape("(2, 0)"),
      shape("(0, 3)"),
      shape("(2, 3"),
      shape("(\xD9\xA2, 3)"),
      descr("'>f4'"),
      descr("'=f4'"),
      descr("'|f4'"),
      descr("'<f8'"),
      descr("'<f2'"),
      descr("'<i4'"),
      descr("'|O'"),
      descr("'<f4294967300'"),
      descr("[('x', '<f4')]"),
      descr("\"<f4\""),
      descr("'<f4' "),
      file(dict("'<f4'", "True", "(2, 3)"), 24),
      file(dict("'<f4'", "0", "(2, 3)"), 24),
      file("{'descr': '<f4', 'fortran_order': False}", 24),
      file("{'descr': '<f4', 'shape': (2, 3), }", 24),
      file("{'fortran_order': False, 'shape': (2, 3), }", 24),
      file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'shape': (2, 3), }", 24),
      file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'extra': 1, }", 24),
      file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } junk", 24),
      file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 24),
      file("", 24),
      file(good, 24, 192),
      file(good, 24, 80),
      file(good, 23),
      file(good, 25),
      file(good, 0),
      version2,
      version3,
      huge2,
      no_magic,
      minor,
      length0,
      length_all,
      past_end,
      no_newline};
  EXPECT_GE(bad.size(), 60U);
  for (const std::string& bytes : bad) {
    SCOPED_TRACE(bytes.substr(0, 128));
    expect_error(ExitCode::kDamaged, at("bad.npy"), [&] { NpyReader(put("bad.npy", bytes)); });
  }
  expect_error(ExitCode::kDamaged, "at byte 62", [&] { NpyReader(put("bad.npy", shape("(2;3)"))); });
  expect_error(ExitCode::kSystem, at("none.npy"), [&] { NpyReader(at("none.npy")); });
}

}  // namespace
}  // namespace lookalike
