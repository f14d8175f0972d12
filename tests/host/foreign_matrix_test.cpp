// Matrices that other programs wrote: every type, version and spelling; what is none is refused before it is
// read.
#include "host/foreign_matrix.h"

#include <cmath>
#include <cstring>

#include "tests/host/scratch.h"

namespace lookalike {
namespace {

template <class Number>
std::string bytes(const std::vector<Number>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(Number)};
}

std::string npy(const std::string& header, const std::string& data, char version = 1) {
  std::string length = {static_cast<char>(header.size() & 0xFF), static_cast<char>(header.size() >> 8)};
  if (version > 1) length += std::string(2, '\0');
  return "\x93NUMPY" + std::string{version, '\0'} + length + header + data;
}

std::string header(const std::string& descr, const std::string& shape, const std::string& order = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }   \n";
}

class ForeignMatrixTest : public ScratchTest {
 protected:
  std::vector<float> read(const std::string& file) const {
    ForeignMatrix matrix(put("x.npy", file));
    std::vector<float> all(static_cast<std::size_t>(matrix.rows() * matrix.columns()));
    matrix.read_rows(0, matrix.rows(), all);
    return all;
  }
  void refused(ExitCode code, const std::string& part, const std::string& file) const {
    put("x.npy", file);
    expect_error(code, part, [&] { ForeignMatrix matrix(at("x.npy")); });
  }
};

TEST_F(ForeignMatrixTest, ReadsEveryTypeVersionAndSpelling) {
  const std::vector<float> numbers = {1, -2, 0.5F, 3, 65504, -0.0F};
  const std::string floats = bytes(numbers);
  EXPECT_EQ(read(npy(header("<f4", "(2, 3)"), floats)), numbers);
  EXPECT_EQ(read(npy(header("<f4", "(3, 2)"), floats, 2)), numbers);
  EXPECT_EQ(read(npy(header("<f4", "(6,1)"), floats, 3)), numbers);
  EXPECT_EQ(read(npy("{\"shape\":(2,3),\"descr\":\"<f4\",\"fortran_order\":False}", floats)), numbers);
  EXPECT_EQ(read(npy(header("<f4", "(1, 6)", "True"), floats)), numbers) << "one row has either order";
  EXPECT_EQ(read(npy(header("<f8", "(2, 3)"), bytes(std::vector<double>(numbers.begin(), numbers.end())))),
            numbers);
  EXPECT_EQ(read(npy(header("<f2", "(2, 3)"),
                     bytes(std::vector<uint16_t>{0x3C00, 0xC000, 0x3800, 0x4200, 0x7BFF, 0x8000}))),
            numbers);
  EXPECT_EQ(read(npy(header("<f8", "(1, 2)"), bytes(std::vector<double>{1e300, 0.1}))),
            (std::vector<float>{HUGE_VALF, 0.1F}));
}

TEST_F(ForeignMatrixTest, ReadsRowsInPieces) {
  const std::vector<double> numbers = {1, 2, 3, 4, 5, 6, 7, 8};
  ForeignMatrix matrix(put("x.npy", npy(header("<f8", "(4, 2)"), bytes(numbers))));
  std::vector<float> some(4);
  matrix.read_rows(1, 2, some);
  EXPECT_EQ(some, (std::vector<float>{3, 4, 5, 6}));
  EXPECT_THROW(matrix.read_rows(3, 2, some), std::out_of_range);
  EXPECT_THROW(matrix.read_rows(0, 1, some), std::out_of_range);
}

// Against the definition: (-1)^s 2^(e - 15) (1 + f / 1024), and f 2^-24 below the normal range.
TEST(HalfToFloat, EveryHalf) {
  for (int bits = 0; bits < 1 << 16; ++bits) {
    const int sign = bits >> 15, exponent = bits >> 10 & 31, fraction = bits & 1023;
    const float found = half_to_float(static_cast<uint16_t>(bits));
    if (exponent == 31 && fraction != 0) {
      EXPECT_TRUE(std::isnan(found)) << bits;
      continue;
    }
    const double size = exponent == 31  ? HUGE_VAL
                        : exponent == 0 ? std::ldexp(fraction, -24)
                                        : std::ldexp(1024 + fraction, exponent - 25);
    ASSERT_EQ(static_cast<double>(found), sign == 0 ? size : -size) << bits;
    ASSERT_EQ(std::signbit(found), sign == 1) << bits;
  }
}

TEST_F(ForeignMatrixTest, RefusesOtherArraysWithWhatToDo) {
  const std::string four(16, '\0');
  for (const char* descr : {">f4", "<i8", "|u1", "<f16", "<c8", "|O", "<f4300", ""}) {
    refused(ExitCode::kUsage, "astype", npy(header(descr, "(2, 2)"), four));
  }
  refused(ExitCode::kUsage, "ascontiguousarray", npy(header("<f4", "(2, 2)", "True"), four));
  for (const char* shape : {"()", "(4,)", "(2, 2, 1)", "(4, 0)"}) {
    refused(ExitCode::kUsage, "reshape", npy(header("<f4", shape), four));
  }
}

TEST_F(ForeignMatrixTest, RefusesWhatIsNoWholeFile) {
  const std::string four(16, '\0');
  const auto damaged = [&](const std::string& part, const std::string& file) {
    refused(ExitCode::kDamaged, part, file);
  };
  damaged("byte 0", "PK\3\4 an archive of arrays");
  damaged("cut off", "\x93NUM");
  damaged("format 4.0", npy(header("<f4", "(2, 2)"), four, 4));
  damaged("not the 15 bytes", npy(header("<f4", "(2, 2)"), four.substr(1)));
  damaged("not the 17 bytes", npy(header("<f4", "(2, 2)"), four + "x"));
  // Products that wrap round to 16.
  damaged("which are not", npy(header("<f4", "(4611686018427387905, 4)"), four));
  damaged("shape", npy(header("<f4", "(-2, -2)"), four));
  damaged("shape", npy(header("<f4", "(0x2, 2)"), four));
  damaged("shape", npy(header("<f4", "(2 2)"), four));
  damaged("shape", npy(header("<f4", "(99999999999999999999, 2)"), four));
  damaged("shape", npy(header("<f4", "[2, 2]"), four));
  damaged("shape", npy(header("<f4", "7"), four));
  damaged("fortran_order", npy(header("<f4", "(2, 2)", "Maybe"), four));
  damaged("twice", npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}", four));
  damaged("alone", npy("{'descr': '<f4', 'shape': (2, 2)}", four));
  damaged("does not end", npy(header("<f4", "(2, 2)") + "more", four));
  damaged("lacks", npy("", four));
  damaged("lacks", npy("{", four));
  damaged("lacks", npy("{'descr", four));
  const std::string good = npy(header("<f4", "(2, 2)"), four);
  for (std::size_t length = 0; length < good.size(); ++length) damaged("x.npy", good.substr(0, length));
  // A header said to be longer than the file.
  std::string longer = good;
  longer[9] = '\x7F';
  damaged("cut off", longer);
}

}  // namespace
}  // namespace lookalike
