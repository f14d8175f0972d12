#include "host/photo_table.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>

#include "engine/error.h"
#include "host/files.h"
#include "host/text_lines.h"
#include "tests/host/photo_makers.h"

namespace lookalike {
namespace {

using ::testing::ElementsAre;
using namespace lookalike::testing;

std::vector<std::string> ids(const std::vector<PhotoItem>& items) {
  std::vector<std::string> all;
  for (const PhotoItem& item : items) all.push_back(item.id);
  return all;
}

PhotoItem item(const std::string& id) { return {.id = id, .path = "p/" + id, .label = "", .columns = {}}; }

TEST(PhotoTable, GivesWhatWentInByPlace) {
  PhotoTable table("list");
  const PhotoItem odd{"\n\"'\xFF", "p\x1B", "\xE9", {{"a,b", "\xFF"}, {"", "x"}}};
  table.add(item("c"), 1);
  table.add(odd, 2);
  table.add(item("b"), 3);
  EXPECT_EQ(table.size(), 3);
  EXPECT_THAT(ids(table.items(0, 2)), ElementsAre("c", odd.id));
  EXPECT_THAT(ids(table.items(2, 5)), ElementsAre("b"));
  EXPECT_TRUE(table.items(3, 1).empty());
  const PhotoItem got = table.items(1, 1).at(0);
  EXPECT_EQ(got.path, odd.path);
  EXPECT_EQ(got.label, odd.label);
  EXPECT_EQ(got.columns, odd.columns);
}

TEST(PhotoTable, SortsByBytes) {
  PhotoTable table("folder");
  for (const char* id : {"b/1", "a", "\xFF", "b.png", "B", "b"}) table.add(item(id), 0);
  table.sort();
  EXPECT_THAT(ids(table.items(0, 9)), ElementsAre("B", "a", "b", "b.png", "b/1", "\xFF"));
}

TEST(PhotoTable, TellsTheFirstOfEqualIds) {
  PhotoTable table("list");
  for (const char* id : {"z", "b", "a", "b", "a", "z"}) table.add(item(id), 10 + table.size());
  const std::optional<EqualIds> equal = table.equal_ids();
  ASSERT_TRUE(equal);
  EXPECT_EQ(equal->id, "b");
  EXPECT_EQ(equal->first_line, 11);
  EXPECT_EQ(equal->second_line, 13);
  PhotoTable other("list");
  for (const char* id : {"b", "B", "b "}) other.add(item(id), 1);
  EXPECT_FALSE(other.equal_ids());
}

TEST(PhotoTable, IsTheListItWasMadeOf) {
  PhotoList list{.source = "list", .root = "p", .labels = Labels::kNone, .items = {}};
  for (int i = 0; i < 2500; ++i) {
    list.items.push_back(item(std::to_string(i)));
  }
  const PhotoList back = PhotoTable(list).list();
  EXPECT_EQ(ids(back.items), ids(list.items));
  EXPECT_EQ(back.labels, Labels::kNone);
  EXPECT_EQ(back.root, "p");
  const ListIdentity expected = list_identity(list), got = PhotoTable(list).identity();
  EXPECT_EQ(got.photos, expected.photos);
  EXPECT_EQ(got.columns, expected.columns);
}

class TextLinesTest : public ::testing::Test {
 protected:
  std::vector<std::string> lines(const std::string& text) {
    const std::string path = folder_.write("text", text);
    const RegularFile file = open_regular(path);
    TextLines reader(file.descriptor.get(), "text");
    std::vector<std::string> all;
    for (std::string line; reader.next(line);) all.push_back(line);
    return all;
  }
  TemporaryFolder folder_;
};

TEST_F(TextLinesTest, LinesKeepTheirEnds) {
  EXPECT_THAT(lines("a\r\n\nb"), ElementsAre("a\r\n", "\n", "b"));
  EXPECT_THAT(lines("\xEF\xBB\xBFx\n\xEF\xBB\xBFx\n"), ElementsAre("x\n", "\xEF\xBB\xBFx\n"));
  EXPECT_TRUE(lines("").empty());
  EXPECT_TRUE(lines("\xEF\xBB\xBF").empty());
}

// Pieces of 256 KiB end within lines.
TEST_F(TextLinesTest, LinesLongerThanAPieceAreWhole) {
  const std::string a(300'000, 'a'), b(262'144, 'b'), c(600'000, 'c');
  EXPECT_THAT(lines(a + "\n" + b + "\n" + c), ElementsAre(a + "\n", b + "\n", c));
}

TEST_F(TextLinesTest, WhatIsNoTextIsRefused) {
  EXPECT_THROW(lines(std::string("a\n\0b", 4)), Error);
  EXPECT_THROW(lines(std::string(static_cast<size_t>(kMaxLineBytes) + 1, 'a')), Error);
}

}  // namespace
}  // namespace lookalike
