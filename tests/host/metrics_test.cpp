#include "host/metrics.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine/error.h"

namespace lookalike {
namespace {

class MetricsTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove(path_); }

  std::string text() const {
    std::stringstream out;
    out << std::ifstream(path_).rdbuf();
    return out.str();
  }
  void put(const std::string& text) const { std::ofstream(path_) << text; }

  std::string path_ = testing::TempDir() + "metrics_test." + std::to_string(getpid()) + ".csv";
};

constexpr const char* kHeader = "epoch,images,loss,validation_loss,learning_rate,seconds\n";

TEST_F(MetricsTest, WritesARowAnEpoch) {
  Metrics metrics(path_, 0);
  metrics.add({1, 160, 0.625, 0.5, 0.001, 1.23456});
  metrics.add({2, 320, 0.5, NAN, 0.001, 2});
  EXPECT_EQ(text(), std::string(kHeader) + "1,160,0.625,0.5,0.001,1.235\n2,320,0.5,,0.001,2.000\n");
}

TEST_F(MetricsTest, DropsRowsBeyondTheEpochThatARunGoesOnFrom) {
  put(std::string(kHeader) + "1,10,a,,0,0\n2,20,b,,0,0\n3,30,c,,0,0\n");
  Metrics metrics(path_, 2);
  metrics.add({3, 30, 0.5, NAN, 0.001, 0});
  EXPECT_EQ(text(), std::string(kHeader) + "1,10,a,,0,0\n2,20,b,,0,0\n3,30,0.5,,0.001,0.000\n");
}

TEST_F(MetricsTest, ANewRunTakesNothingOver) {
  put(std::string(kHeader) + "1,10,a,,0,0\n");
  Metrics metrics(path_, 0);
  metrics.add({1, 10, 0.5, NAN, 0.001, 0});
  EXPECT_EQ(text(), std::string(kHeader) + "1,10,0.5,,0.001,0.000\n");
}

TEST_F(MetricsTest, TakesNothingFromAForeignOrTornFile) {
  for (const std::string there :
       {"", "a,b\n1,2\n", "epoch,images,loss,validation_loss,learning_rate,seconds"}) {
    put(there);
    Metrics metrics(path_, 5);
    metrics.add({6, 10, 0.5, NAN, 0.001, 0});
    EXPECT_EQ(text(), std::string(kHeader) + "6,10,0.5,,0.001,0.000\n") << there;
  }
  put(std::string(kHeader) + "1,10,a,,0,0\nx\n2,20,b,,0,0\n");
  Metrics metrics(path_, 5);
  metrics.add({3, 10, 0.5, NAN, 0.001, 0});
  EXPECT_EQ(text(), std::string(kHeader) + "1,10,a,,0,0\n3,10,0.5,,0.001,0.000\n");
}

TEST_F(MetricsTest, ReadsItsRowsBack) {
  Metrics metrics(path_, 0);
  metrics.add({1, 160, 0.625, 0.5, 0.001, 1.25});
  metrics.add({3, 320, 0.5, NAN, 0.001, 2});
  const auto rows = read_metrics(path_);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].epoch, 1);
  EXPECT_EQ(rows[0].images, 160);
  EXPECT_EQ(rows[0].loss, 0.625);
  EXPECT_EQ(rows[0].validation_loss, 0.5);
  EXPECT_EQ(rows[0].learning_rate, 0.001);
  EXPECT_EQ(rows[0].seconds, 1.25);
  EXPECT_EQ(rows[1].epoch, 3);
  EXPECT_TRUE(std::isnan(rows[1].validation_loss));
}

TEST_F(MetricsTest, WhatIsNoRowOfItsIsNamed) {
  for (const char* row : {"", "1", "1,2,3,4,5", "1,2,3,4,5,6,7", "x,2,3,4,5,6", "1,2,3x,4,5,6",
                          "1,2,nan,,5,6", "0,2,3,4,5,6", "1,2,3,4,5,", "-1,2,3,4,5,6"}) {
    put(std::string(kHeader) + row + "\n");
    try {
      read_metrics(path_);
      ADD_FAILURE() << row;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kDamaged);
      EXPECT_NE(std::string(error.what()).find("line 2"), std::string::npos) << error.what();
    }
  }
  put("a,b\n");
  EXPECT_THROW(read_metrics(path_), Error);
  put(std::string(kHeader) + "2,2,3,4,5,6\n2,2,3,4,5,6\n");
  EXPECT_THROW(read_metrics(path_), Error);
}

}  // namespace
}  // namespace lookalike
