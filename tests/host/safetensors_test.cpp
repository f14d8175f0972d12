#include "host/safetensors.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "host/atomic_file.h"
#include "tests/host/scratch.h"

namespace lookalike {
namespace {

class SafetensorsTest : public ScratchTest {
 protected:
  static std::string file(const std::string& header, const std::string& data) {
    const uint64_t length = header.size();
    return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
  }
  static std::string zeros(std::size_t count) { return std::string(count * sizeof(float), '\0'); }

  void expect_refused(const std::string& bytes, const std::string& part) const {
    SCOPED_TRACE(bytes.substr(0, 300));
    expect_error(ExitCode::kDamaged, part, [&] { read_tensor_file(put("bad", bytes)); });
  }

  static TensorFile example() {
    TensorFile file;
    file.metadata = {{"epoch", "12"}, {"quote\"d", "back\\slash \n caf\xC3\xA9"}};
    file.tensors["b.kernel"] = {{2, 3}, {1, -2, 3.5F, 0, -0.0F, 1e-40F}};
    file.tensors["a.bias"] = {{1}, {7}};
    file.tensors["nothing"] = {{0, 4}, {}};
    file.tensors["scalar"] = {{}, {3}};
    return file;
  }
};

TEST_F(SafetensorsTest, ReadsWhatItWrote) {
  const TensorFile written = example();
  write_tensor_file(at("a"), written);
  TensorFile read = read_tensor_file(at("a"));
  EXPECT_EQ(read.metadata.at("checksum").size(), 32U);
  read.metadata.erase("checksum");
  EXPECT_EQ(read.metadata, written.metadata);
  ASSERT_EQ(read.tensors.size(), written.tensors.size());
  for (const auto& [name, tensor] : written.tensors) {
    EXPECT_EQ(read.tensors[name].shape, tensor.shape) << name;
    EXPECT_EQ(std::memcmp(read.tensors[name].values.data(), tensor.values.data(), tensor.values.size() * 4),
              0);
  }
}

TEST_F(SafetensorsTest, WritesTheSameBytesEachTime) {
  write_tensor_file(at("a"), example());
  write_tensor_file(at("b"), read_tensor_file(at("a")));
  EXPECT_EQ(get("a"), get("b"));
}

TEST_F(SafetensorsTest, LaysTheFileOutAsDescribed) {
  write_tensor_file(at("a"), example());
  std::string bytes = get("a");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0U);
  EXPECT_EQ(bytes[8], '{');
  EXPECT_EQ(bytes.size(), 8 + length + 8 * sizeof(float));
  const std::string digits = read_tensor_file(at("a")).metadata.at("checksum");
  bytes.replace(bytes.find(digits), 32, 32, '0');
  EXPECT_EQ(xxh3_hex(std::as_bytes(std::span(bytes))), digits);
}

TEST_F(SafetensorsTest, ReadsFilesOfOtherWriters) {
  const std::string header =
      "{ \"z\" : {\"data_offsets\":[0 , 8],\"shape\":[2],\"dtype\":\"F32\"}, "
      "\"__metadata__\":{\"format\":\"np\"},\n"
      "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[8,12]}}  ";
  const TensorFile read = read_tensor_file(put("a", file(header, zeros(3))));
  EXPECT_EQ(read.metadata.at("format"), "np");
  EXPECT_EQ(read.tensors.at("z").shape, std::vector<int64_t>{2});
  EXPECT_EQ(read.tensors.at("a").values, std::vector<float>{0});
  EXPECT_TRUE(read_tensor_file(put("a", file("{}", ""))).tensors.empty());
}

TEST_F(SafetensorsTest, AcceptsNoCutAndNoFlip) {
  write_tensor_file(at("a"), example());
  const std::string whole = get("a");
  const std::size_t key = whole.find("checksum");
  for (std::size_t size = 0; size < whole.size(); ++size) expect_refused(whole.substr(0, size), "bad");
  expect_refused(whole + '\0', "bad");
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    // Another key instead of "checksum" is a whole file without one: what may be in it is not known here.
    if (bit / 8 >= key && bit / 8 < key + 8) continue;
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    expect_refused(flipped, "bad");
  }
}

TEST_F(SafetensorsTest, RefusesHeadersThatAreNone) {
  const std::string one = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  ASSERT_NO_THROW(read_tensor_file(put("a", file(one, zeros(1)))));
  std::string too_long = file(one, zeros(1)), huge = too_long, over_cap = file(std::string(1 << 20, ' '), "");
  too_long[0] = static_cast<char>(one.size() + 5);
  huge.replace(0, 8, 8, '\xFF');
  over_cap = file("{" + std::string((1 << 20) - 1, ' ') + "}", "");
  for (const std::string& bytes : {std::string(), std::string("1234567"), too_long, huge, over_cap}) {
    expect_refused(bytes, "header");
  }
  const std::vector<std::string> bad = {"",
                                        " ",
                                        "[]",
                                        "null",
                                        "1",
                                        "\"a\"",
                                        " " + one,
                                        "\xEF\xBB\xBF" + one,
                                        one + "x",
                                        one + one,
                                        "{",
                                        "{\"a\"}",
                                        "{a:1}",
                                        "{'a':1}",
                                        one + "//",
                                        "{,}",
                                        "{\"\xFF\":1}",
                                        one.substr(0, one.size() - 1) + ",}",
                                        std::string("{}\0junk", 7),
                                        std::string("{}\0", 3),
                                        "{\"a\":NaN}",
                                        "{\"a\":1e999}",
                                        "{\"\\uD800\":{}}"};
  for (const std::string& header : bad) expect_refused(file(header, zeros(1)), "bad");
  std::string deep = "{\"a\":";
  for (int i = 0; i < 100'000; ++i) deep += "[";
  expect_refused(file(deep, ""), "bad");
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  expect_refused(file(objects, ""), "bad");
  expect_error(ExitCode::kDamaged, "at byte 21",
               [&] { read_tensor_file(put("bad", file("{\"abcdefghij\"x", ""))); });
}

TEST_F(SafetensorsTest, RefusesTensorsThatAreNone) {
  const auto tensor = [](const std::string& fields) { return "{\"t\":{" + fields + "}}"; };
  const auto offsets = [&](const std::string& list) {
    return tensor(R"("dtype":"F32","shape":[1],"data_offsets":)" + list);
  };
  const auto shape = [&](const std::string& list) {
    return tensor(R"("dtype":"F32","data_offsets":[0,4],"shape":)" + list);
  };
  const auto dtype = [&](const std::string& name) {
    return tensor(R"("data_offsets":[0,4],"shape":[1],"dtype":)" + name);
  };
  const std::vector<std::string> bad = {offsets("[0.0,4]"),
                                        offsets("[0,4.0]"),
                                        offsets("[-0,4]"),
                                        offsets("[-4,0]"),
                                        offsets("[4,0]"),
                                        offsets("[0,5]"),
                                        offsets("[0,3]"),
                                        offsets("[1,5]"),
                                        offsets("[4,8]"),
                                        offsets("[0,4,8]"),
                                        offsets("[4]"),
                                        offsets("[]"),
                                        offsets("4"),
                                        offsets("\"0,4\""),
                                        offsets("[\"0\",\"4\"]"),
                                        offsets("null"),
                                        offsets("[[0,4]]"),
                                        offsets("{\"0\":4}"),
                                        offsets("[0,18446744073709551620]"),
                                        offsets("[18446744073709551612,18446744073709551616]"),
                                        offsets("[true,4]"),
                                        offsets("[0,4],\"data_offsets\":[0,4]"),
                                        offsets("[0,4],\"\\u0073hape\":[1]"),
                                        shape("[2]"),
                                        shape("[0]"),
                                        shape("[1.0]"),
                                        shape("[-1]"),
                                        shape("[1e0]"),
                                        shape("1"),
                                        shape("[[1]]"),
                                        shape("[4294967296,4294967296]"),
                                        shape("[4611686018427387905]"),
                                        shape("[18446744073709551615]"),
                                        shape("[1,1,1,1,1,1,1,1,1]"),
                                        shape("[\"1\"]"),
                                        shape("null"),
                                        dtype("\"F16\""),
                                        dtype("\"BF16\""),
                                        dtype("\"I32\""),
                                        dtype("\"F64\""),
                                        dtype("\"f32\""),
                                        dtype("\"\""),
                                        dtype("\"F32 \""),
                                        dtype("32"),
                                        dtype("[\"F32\"]"),
                                        dtype("null"),
                                        dtype("{}"),
                                        dtype("\"F32\",\"dtype\":\"F32\""),
                                        dtype("\"F32\",\"extra\":1"),
                                        dtype("\"F32\",\"extra\":\"x\""),
                                        tensor(""),
                                        tensor(R"("dtype":"F32","shape":[1])"),
                                        tensor(R"("dtype":"F32","data_offsets":[0,4])"),
                                        tensor(R"("shape":[1],"data_offsets":[0,4])"),
                                        R"({"t":[]})",
                                        R"({"t":1})",
                                        R"({"t":"x"})",
                                        R"({"t":null})",
                                        R"({"t":true})"};
  EXPECT_GE(bad.size(), 50U);
  for (const std::string& header : bad) expect_refused(file(header, zeros(1)), "bad");
  expect_refused(file(dtype("\"F16\""), zeros(1)), "tensor t is of type F16");
}

TEST_F(SafetensorsTest, RefusesTensorsThatDoNotTileTheData) {
  const auto two = [](const std::string& a, const std::string& b, const char* second = "b") {
    const std::string text = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)" + a + R"(},")" + second +
                             R"(":{"dtype":"F32","shape":[1],"data_offsets":)" + b + "}}";
    return text;
  };
  ASSERT_NO_THROW(read_tensor_file(put("a", file(two("[4,8]", "[0,4]"), zeros(2)))));
  expect_refused(file(two("[0,4]", "[8,12]"), zeros(3)), "tensor b begins at 8 of the data, not at 4");
  expect_refused(file(two("[0,4]", "[0,4]"), zeros(1)), "tensor b begins at 0");
  expect_refused(file(two("[0,4]", "[2,6]"), zeros(2)), "tensor b begins at 2");
  expect_refused(file(two("[0,4]", "[4,8]"), zeros(3)), "take 8 bytes, the file has 12");
  expect_refused(file(two("[0,4]", "[4,8]"), zeros(1)), "take 8 bytes, the file has 4");
  expect_refused(file(two("[0,4]", "[4,8]", "a"), zeros(2)), "\"a\" twice");
  expect_refused(file(two("[0,4]", "[4,8]", "\\u0061"), zeros(2)), "\"a\" twice");
}

TEST_F(SafetensorsTest, RefusesMetadataThatIsNotTextToText) {
  for (const char* value : {"1", "null", "true", "1.5", "-1", "[\"x\"]", "{\"x\":\"y\"}"}) {
    expect_refused(file(fmt::format("{{\"__metadata__\":{{\"k\":{}}}}}", value), ""), "bad");
  }
  for (const char* value : {"1", "null", "true", "[]", "[\"x\"]"}) {
    expect_refused(file(fmt::format("{{\"__metadata__\":{}}}", value), ""), "bad");
  }
  expect_refused(file(R"({"__metadata__":"x"})", ""), "bad");
  expect_refused(file(R"({"__metadata__":{"k":"1","\u006b":"1"}})", ""), "\"k\" twice");
  expect_refused(file(R"({"__metadata__":{},"__metadata__":{}})", ""), "twice");
  expect_refused(file(R"({"__metadata__":{},"\u005f_metadata__":{}})", ""), "twice");
}

TEST_F(SafetensorsTest, HoldsFilesToTheirChecksum) {
  const auto with = [](const std::string& digits) {
    return R"({"__metadata__":{"checksum":")" + digits + R"("}})";
  };
  const std::string blank(32, '0');
  const std::string bytes = file(with(blank), "");
  const std::string right = xxh3_hex(std::as_bytes(std::span(bytes)));
  EXPECT_NO_THROW(read_tensor_file(put("a", file(with(right), ""))));
  expect_refused(file(with(blank), ""), "do not fit its checksum");
  expect_refused(file(with(""), ""), "checksum is not readable");
  expect_refused(file(with(right + "0"), ""), "checksum is not readable");
  expect_refused(file(with("\\u0030" + blank.substr(1)), ""), "checksum is not readable");
}

TEST_F(SafetensorsTest, RefusesNumbersThatAreNotFinite) {
  for (const float value : {NAN, INFINITY, -INFINITY}) {
    const std::string data(reinterpret_cast<const char*>(&value), 4);
    expect_refused(file(R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", zeros(1) + data),
                   "tensor t is not finite at 1");
    TensorFile file = example();
    file.tensors["a.bias"].values[0] = value;
    put("a", "old");
    expect_error(ExitCode::kNonFinite, "tensor a.bias", [&] { write_tensor_file(at("a"), file); });
    EXPECT_EQ(get("a"), "old");
  }
}

TEST_F(SafetensorsTest, WritesNoFileThatItWouldNotRead) {
  TensorFile file = example();
  file.metadata["name"] = "caf\xE9";
  expect_error(ExitCode::kUsage, "UTF-8", [&] { write_tensor_file(at("a"), file); });
  file = example();
  file.metadata["name"] = std::string(1 << 20, 'x');
  expect_error(ExitCode::kUsage, "1 MiB", [&] { write_tensor_file(at("a"), file); });
  file = example();
  file.tensors["a.bias"].shape = {2};
  EXPECT_THROW(write_tensor_file(at("a"), file), std::invalid_argument);
}

}  // namespace
}  // namespace lookalike
