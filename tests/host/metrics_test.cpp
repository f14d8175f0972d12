#include "host/metrics.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

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

}  // namespace
}  // namespace lookalike
