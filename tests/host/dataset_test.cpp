#include "host/dataset.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "engine/error.h"
#include "host/csv.h"
#include "tests/host/photo_makers.h"

namespace lookalike {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using namespace lookalike::testing;

std::vector<std::string> ids(const PhotoList& photos) {
  std::vector<std::string> all;
  for (const PhotoItem& item : photos.items) all.push_back(item.id);
  return all;
}

// The error that a call throws: "E_USAGE: message".
template <typename Call>
std::string error_of(const Call& call) {
  try {
    call();
    return "no error";
  } catch (const Error& error) {
    return error.name() + ": " + error.what();
  }
}

std::string error_of_source(const std::string& source) {
  return error_of([&] { list_photos(source); });
}

std::vector<std::vector<std::string>> records(std::string_view text) {
  CsvReader reader(text);
  std::vector<std::vector<std::string>> all;
  std::vector<std::string> fields;
  while (reader.next(fields)) all.push_back(fields);
  return all;
}

TEST(Csv, FieldsAndRecords) {
  EXPECT_THAT(records("a,b\nc,d\n"), ElementsAre(ElementsAre("a", "b"), ElementsAre("c", "d")));
  EXPECT_THAT(records("a,b\r\nc,d\r\n"), ElementsAre(ElementsAre("a", "b"), ElementsAre("c", "d")));
  EXPECT_THAT(records("a,b\nc,d"), ElementsAre(ElementsAre("a", "b"), ElementsAre("c", "d")));
  EXPECT_THAT(records("a,\n,b\n,\n"),
              ElementsAre(ElementsAre("a", ""), ElementsAre("", "b"), ElementsAre("", "")));
  EXPECT_THAT(records(" a , b\n"), ElementsAre(ElementsAre(" a ", " b")));
  EXPECT_THAT(records(""), IsEmpty());
  EXPECT_THAT(records("\n\r\na\n\n"), ElementsAre(ElementsAre("a")));
  EXPECT_THAT(records("\xEF\xBB\xBF\"a\""), ElementsAre(ElementsAre("a")));
}

TEST(Csv, Quotes) {
  EXPECT_THAT(records("\"a,b\",c\n"), ElementsAre(ElementsAre("a,b", "c")));
  EXPECT_THAT(records("\"a\"\"b\",\"\"\n"), ElementsAre(ElementsAre("a\"b", "")));
  EXPECT_THAT(records("\"a\r\nb\nc\",d\r\n"), ElementsAre(ElementsAre("a\r\nb\nc", "d")));
  EXPECT_THAT(records("12\" ruler,b\n"), ElementsAre(ElementsAre("12\" ruler", "b")));
  EXPECT_THAT(records("\"\"\n"), ElementsAre(ElementsAre("")));
}

TEST(Csv, LinesAreThoseOfTheFile) {
  CsvReader reader("h\n\n\"a\nb\"\nc\n");
  std::vector<std::string> fields;
  for (const int64_t line : {1, 3, 5}) {
    ASSERT_TRUE(reader.next(fields));
    EXPECT_EQ(reader.line(), line);
  }
  EXPECT_FALSE(reader.next(fields));
}

TEST(Csv, AQuoteThatNeverClosesTakesNoMoreThanItsBound) {
  int64_t lines = 0;
  CsvReader reader([&lines](std::string& line) {
    line = ++lines == 1 ? "\"a\n" : std::string(size_t{1} << 20, 'b') + "\n";
    return lines < 100;
  });
  std::vector<std::string> fields;
  EXPECT_THROW(reader.next(fields), CsvError);
  EXPECT_LT(lines, 20);
}

TEST(Csv, BadQuotesTellTheirLine) {
  const auto line = [](std::string_view text) -> int64_t {
    try {
      records(text);
      return 0;
    } catch (const CsvError& error) {
      return error.line();
    }
  };
  EXPECT_EQ(line("a\n\"b\nc\n"), 2);
  EXPECT_EQ(line("a\n\"b\"c\n"), 2);
  EXPECT_EQ(line("\"a\nb\" ,c\n"), 2);
  EXPECT_EQ(line("\""), 1);
}

TEST(ListFolder, FindsPhotosInByteOrder) {
  const TemporaryFolder folder;
  for (const char* name : {"b/2.JPG", "b/1.jpeg", "a.png", "B/x.WebP", "b/c/d.tif", "b.bmp", "z.tiff",
                           "y.gif", "n.jpg/in.jpg", "notes.txt", "b/jpg", "photo.jpg.part", "LICENSE"}) {
    folder.write(name, "content");
  }
  const PhotoList photos = list_photos(folder.path());
  EXPECT_THAT(ids(photos), ElementsAre("B/x.WebP", "a.png", "b.bmp", "b/1.jpeg", "b/2.JPG", "b/c/d.tif",
                                       "n.jpg", "n.jpg/in.jpg", "y.gif", "z.tiff"));
  EXPECT_EQ(photos.root, folder.path());
  EXPECT_EQ(photos.items[0].path, folder / "B/x.WebP");
  EXPECT_EQ(photos.items[0].label, "B");
  EXPECT_EQ(photos.items[1].label, "");
  EXPECT_EQ(photos.items[5].label, "c");
  EXPECT_EQ(photos.source, folder.path());
  EXPECT_EQ(ids(list_photos(folder.path() + "//")), ids(photos));
  EXPECT_EQ(list_identity(list_photos(folder.path() + "/")).photos, list_identity(photos).photos);
}

TEST(ListFolder, NamesMayHoldAnything) {
  const TemporaryFolder folder;
  const std::vector<std::string> names = {"\n.jpg", " .jpg", "\"q\",.jpg", "\xFF.jpg"};
  for (const std::string& name : names) folder.write(name, "content");
  EXPECT_EQ(ids(list_photos(folder.path())), names);
}

TEST(ListFolder, LinksToFoldersAreNotFollowed) {
  const TemporaryFolder folder;
  folder.write("a/1.jpg", "content");
  ASSERT_EQ(symlink(folder.path().c_str(), (folder / "a/round").c_str()), 0);
  ASSERT_EQ(symlink(folder.path().c_str(), (folder / "a/round.jpg").c_str()), 0);
  ASSERT_EQ(symlink("1.jpg", (folder / "a/2.jpg").c_str()), 0);
  ASSERT_EQ(symlink("nowhere", (folder / "a/3.jpg").c_str()), 0);  // refused when it is read
  ASSERT_EQ(mkfifo((folder / "a/4.jpg").c_str(), 0600), 0);        // so is this
  EXPECT_THAT(ids(list_photos(folder.path())),
              ElementsAre("a/1.jpg", "a/2.jpg", "a/3.jpg", "a/4.jpg", "a/round.jpg"));
}

TEST(ListFolder, ErrorsSayWhatToDo) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of_source(folder.path()), HasSubstr("E_NO_INPUT: no photo in "));
  EXPECT_THAT(error_of_source(folder / "absent"), HasSubstr("E_USAGE: cannot read "));
  EXPECT_THAT(error_of_source(""), HasSubstr("E_USAGE: cannot read "));
}

TEST(ListFolder, AFolderThatMayNotBeReadIsNamed) {
  const TemporaryFolder folder;
  folder.write("closed/a.jpg", "content");
  ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);
  ASSERT_EQ(chmod((folder / "closed").c_str(), 0), 0);
  constexpr uid_t kNobody = 65534;
  const uid_t user = geteuid();
  if (user == 0) {  // root may read every folder
    ASSERT_EQ(seteuid(kNobody), 0);
  }
  const std::string error = error_of_source(folder.path());
  ASSERT_EQ(seteuid(user), 0);
  ASSERT_EQ(chmod((folder / "closed").c_str(), 0700), 0);
  EXPECT_THAT(error, HasSubstr("E_USAGE: cannot search " + (folder / "closed") + ": Permission denied"));
}

TEST(ListFile, PathsAreBelowTheListsFolder) {
  const TemporaryFolder folder;
  const std::string list =
      folder.write("in/list.txt",
                   "\xEF\xBB\xBF"
                   "hat/1.jpg\r\n\n/abs/shoe/2.jpg\n3.jpg\n./4.jpg\n../up/5.jpg\nno end .jpg");
  const PhotoList photos = list_photos(list);
  EXPECT_THAT(ids(photos),
              ElementsAre("hat/1.jpg", "/abs/shoe/2.jpg", "3.jpg", "./4.jpg", "../up/5.jpg", "no end .jpg"));
  EXPECT_EQ(photos.items[0].path, folder / "in/hat/1.jpg");
  EXPECT_EQ(photos.items[1].path, "/abs/shoe/2.jpg");
  std::vector<std::string> labels;
  for (const PhotoItem& item : photos.items) labels.push_back(item.label);
  EXPECT_THAT(labels, ElementsAre("hat", "shoe", "", "", "up", ""));
}

TEST(ListFile, DuplicatesNameBothLines) {
  const TemporaryFolder folder;
  const std::string list = folder.write("list", "a.jpg\n\nb.jpg\na.jpg\n");
  EXPECT_EQ(error_of_source(list),
            "E_USAGE: " + list + ", lines 1 and 4: two photos have the id a.jpg; ids must differ");
}

TEST(ListFile, OtherFilesAreNoLists) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of_source(folder.write("empty", "")), HasSubstr("E_NO_INPUT"));
  EXPECT_THAT(error_of_source(folder.write("blank", "\n\r\n\n")), HasSubstr("E_NO_INPUT"));
  EXPECT_THAT(error_of_source(folder.write("photo.jpg", encoded(".jpg", gradient(9, 9)))),
              HasSubstr("is not text"));
}

TEST(ListStandardInput, PathsAreBelowTheWorkingFolder) {
  const TemporaryFolder folder;
  const std::string list = folder.write("list", "hat/1.jpg\n/abs/2.jpg\n");
  const int before = ::dup(STDIN_FILENO);
  ASSERT_NE(::freopen(list.c_str(), "r", stdin), nullptr);
  const PhotoList photos = list_photos("-");
  ::dup2(before, STDIN_FILENO);
  ::close(before);
  EXPECT_THAT(ids(photos), ElementsAre("hat/1.jpg", "/abs/2.jpg"));
  EXPECT_EQ(photos.items[0].path, "hat/1.jpg");
  EXPECT_EQ(photos.items[0].label, "hat");
}

TEST(ListCsv, ColumnsByName) {
  const TemporaryFolder folder;
  const std::string list = folder.write("shop.CSV",
                                        "price,id,path,label,title,\r\n"
                                        "9.90,sku-1,img/1.jpg,hats,\"Hat, \"\"red\"\"\r\nnew\",x\r\n"
                                        "5,sku-2,/abs/2.jpg,,,\r\n");
  const PhotoList photos = list_photos(list);
  ASSERT_THAT(ids(photos), ElementsAre("sku-1", "sku-2"));
  EXPECT_EQ(photos.items[0].path, folder / "img/1.jpg");
  EXPECT_EQ(photos.items[0].label, "hats");
  EXPECT_THAT(photos.items[0].columns,
              UnorderedElementsAre(Pair("price", "9.90"), Pair("title", "Hat, \"red\"\r\nnew")));
  EXPECT_EQ(photos.items[1].path, "/abs/2.jpg");
  EXPECT_EQ(photos.items[1].label, "");
}

TEST(ListCsv, PathStandsForIdAndLabel) {
  const TemporaryFolder folder;
  const PhotoList photos = list_photos(folder.write("a.csv", "\xEF\xBB\xBFpath\nhat/1.jpg\n\n2.jpg"));
  ASSERT_THAT(ids(photos), ElementsAre("hat/1.jpg", "2.jpg"));
  EXPECT_EQ(photos.items[0].label, "hat");
  EXPECT_THAT(photos.items[0].columns, IsEmpty());
}

std::vector<std::string> labels_of(const std::string& source, std::optional<Labels> labels) {
  std::vector<std::string> all;
  for (const PhotoItem& item : list_photos(source, labels).items) all.push_back(item.label);
  return all;
}

TEST(ListLabels, ComeFromTheFoldersThatAreAskedFor) {
  const TemporaryFolder folder;
  for (const char* name : {"0.jpg", "shirts/1.jpg", "shirts/red/2.jpg", "shirts/red/xl/3.jpg"}) {
    folder.write(name, "content");
  }
  EXPECT_THAT(labels_of(folder.path(), {}), ElementsAre("", "shirts", "red", "xl"));
  EXPECT_THAT(labels_of(folder.path(), Labels::kParent), ElementsAre("", "shirts", "red", "xl"));
  EXPECT_THAT(labels_of(folder.path(), Labels::kTop), ElementsAre("", "shirts", "shirts", "shirts"));
  EXPECT_THAT(labels_of(folder.path(), Labels::kNone), ElementsAre("", "", "", ""));
  const std::string list = folder.write("list", "./a/b/1.jpg\n/c/d/2.jpg\n../e/f/3.jpg\n4.jpg\n./5.jpg\n");
  EXPECT_THAT(labels_of(list, Labels::kTop), ElementsAre("a", "c", "e", "", ""));
  EXPECT_THAT(labels_of(list, Labels::kParent), ElementsAre("b", "d", "f", "", ""));
}

TEST(ListLabels, TheColumnStandsWhereNothingElseIsAskedFor) {
  const TemporaryFolder folder;
  const std::string with = folder.write("with.csv", "path,label\na/b/1.jpg,hats\n");
  EXPECT_THAT(labels_of(with, {}), ElementsAre("hats"));
  EXPECT_EQ(list_photos(with).labels, Labels::kColumn);
  EXPECT_THAT(labels_of(with, Labels::kTop), ElementsAre("a"));
  EXPECT_THAT(labels_of(with, Labels::kNone), ElementsAre(""));
  EXPECT_THAT(list_photos(with, Labels::kNone).items[0].columns, IsEmpty());
  const std::string without = folder.write("without.csv", "path\na/b/1.jpg\n");
  EXPECT_THAT(labels_of(without, {}), ElementsAre("b"));
  EXPECT_EQ(list_photos(without).labels, Labels::kParent);
}

TEST(ListLabels, AreNamedAsTheFlagTakesThem) {
  for (const Labels labels : {Labels::kParent, Labels::kTop, Labels::kNone}) {
    EXPECT_EQ(parse_labels(to_string(labels)), labels);
  }
  for (const char* text : {"", "column", "Top"}) {
    EXPECT_THAT(error_of([&] { parse_labels(text); }), HasSubstr("E_USAGE: --label is "));
  }
}

TEST(ListCsv, ErrorsNameTheLine) {
  const TemporaryFolder folder;
  const auto error = [&folder](const std::string& text) {
    return error_of_source(folder.write("a.csv", text));
  };
  EXPECT_THAT(error("path,id\na,1\nb,2\n\nc,1\n"),
              HasSubstr("E_USAGE: " + (folder / "a.csv") + ", lines 2 and 5: two photos have the id 1"));
  EXPECT_THAT(error("path,id\na,1\nb\n"), HasSubstr("line 3: 1 fields under 2 columns"));
  EXPECT_THAT(error("path,id\na,1,2\n"), HasSubstr("line 2: 3 fields under 2 columns"));
  EXPECT_THAT(error("path,id\n,1\n"), HasSubstr("line 2: the path is empty"));
  EXPECT_THAT(error("path,id\na,\n"), HasSubstr("line 2: the id is empty"));
  EXPECT_THAT(error("path\n\"a\n"), HasSubstr("line 2: a quote is opened and never closed"));
  EXPECT_THAT(error("file;id\na;1\n"), HasSubstr("no column \"path\""));
  EXPECT_THAT(error("path,path\na,1\n"), HasSubstr("two columns \"path\""));
  EXPECT_THAT(error("path,id\n"), HasSubstr("E_NO_INPUT"));
  EXPECT_THAT(error(""), HasSubstr("E_NO_INPUT"));
}

TEST(ListIdentity, StaysWhereTheRootMoves) {
  const TemporaryFolder folder;
  for (const char* root : {"here", "there"}) {
    folder.write(std::string(root) + "/a/1.jpg", "content");
    folder.write(std::string(root) + "/list.csv",
                 "path,id\na/1.jpg,7\n" + folder.path() + "/" + root + "/b.jpg,8\n/c.jpg,9\n");
  }
  const PhotoList here = list_photos(folder / "here"), there = list_photos(folder / "there/");
  EXPECT_EQ(list_identity(here).photos, list_identity(there).photos);
  EXPECT_EQ(absolute_root(there.root), folder / "there");
  EXPECT_EQ(listed_path(there.root, there.items[0].path), "a/1.jpg");
  const PhotoList csv = list_photos(folder / "here/list.csv");
  EXPECT_EQ(list_identity(csv).photos, list_identity(list_photos(folder / "there/list.csv")).photos);
  EXPECT_EQ(listed_path(csv.root, csv.items[1].path), "b.jpg");
  EXPECT_EQ(listed_path(csv.root, csv.items[2].path), "/c.jpg");
  EXPECT_EQ(absolute_root(csv.root), folder / "here");
  EXPECT_EQ(absolute_root(""), std::filesystem::current_path().native());
  EXPECT_EQ(listed_path("", "a/b.jpg"), "a/b.jpg");
}

TEST(ListIdentity, TellsListsApart) {
  const TemporaryFolder folder;
  const auto fingerprint = [&folder](const std::string& text) {
    const PhotoList photos = list_photos(folder.write("a.csv", "path,id,label,more\n" + text));
    const ListIdentity identity = list_identity(photos);
    return identity.photos + " " + identity.columns;
  };
  const std::string base = fingerprint("a,1,x,\nb,2,y,\n");
  EXPECT_TRUE(base.starts_with("2 photos, ")) << base;
  EXPECT_NE(fingerprint("a,1,x,other\nb,2,y,columns\n"), base);
  EXPECT_NE(fingerprint("b,2,y,\na,1,x,\n"), base);
  EXPECT_NE(fingerprint("a,1,x,\n"), base);
  EXPECT_NE(fingerprint("c,1,x,\nb,2,y,\n"), base);
  EXPECT_NE(fingerprint("a,3,x,\nb,2,y,\n"), base);
  EXPECT_NE(fingerprint("a,1,xb,\nb,2,y,\n"), base);
  EXPECT_NE(fingerprint("/a,1,x,\nb,2,y,\n"), base);
}

PhotoList numbered(int64_t count) {
  PhotoList photos;
  photos.source = "source";
  for (int64_t i = 0; i < count; ++i) {
    const std::string name = std::to_string(i);
    photos.items.push_back({name, "/" + name, "", {}});
  }
  return photos;
}

TEST(SplitPhotos, PartsKeepTheirOrderAndCoverTheList) {
  const PhotoList photos = numbered(1000);
  const Split split = split_photos(photos, 0.1, 7);
  EXPECT_EQ(split.validation.items.size(), 100U);
  EXPECT_EQ(split.training.items.size(), 900U);
  std::vector<int> all;
  for (const PhotoList* part : {&split.training, &split.validation}) {
    std::vector<int> numbers;
    for (const PhotoItem& item : part->items) numbers.push_back(std::stoi(item.id));
    EXPECT_TRUE(std::ranges::is_sorted(numbers));
    all.insert(all.end(), numbers.begin(), numbers.end());
  }
  std::ranges::sort(all);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(all[static_cast<size_t>(i)], i);
  EXPECT_NE(list_identity(split.training).photos, list_identity(split.validation).photos);
}

TEST(SplitPhotos, DependsOnIdsAndSeedAlone) {
  PhotoList photos = numbered(500);
  const Split first = split_photos(photos, 0.2, 7);
  EXPECT_EQ(ids(split_photos(photos, 0.2, 7).validation), ids(first.validation));
  EXPECT_NE(ids(split_photos(photos, 0.2, 8).validation), ids(first.validation));
  std::ranges::reverse(photos.items);
  std::vector<std::string> turned = ids(split_photos(photos, 0.2, 7).validation);
  std::ranges::reverse(turned);
  EXPECT_EQ(turned, ids(first.validation));
}

TEST(SplitPhotos, TheChoiceStaysTheSame) {
  // Written down once: a validation set that moved between versions would be trained on.
  EXPECT_THAT(ids(split_photos(numbered(12), 0.25, 1).validation), ElementsAre("4", "5", "7"));
}

TEST(SplitPhotos, BothPartsKeepAnItem) {
  const auto sizes = [](int64_t count, double share) {
    const Split split = split_photos(numbered(count), share, 1);
    return std::pair(split.training.items.size(), split.validation.items.size());
  };
  EXPECT_EQ(sizes(10, 0), std::pair(size_t{10}, size_t{0}));
  EXPECT_EQ(sizes(10, 0.001), std::pair(size_t{9}, size_t{1}));
  EXPECT_EQ(sizes(10, 1), std::pair(size_t{1}, size_t{9}));
  EXPECT_EQ(sizes(10, 0.25), std::pair(size_t{7}, size_t{3}));
  EXPECT_EQ(sizes(2, 0.5), std::pair(size_t{1}, size_t{1}));
  EXPECT_EQ(sizes(1, 0.5), std::pair(size_t{1}, size_t{0}));
  EXPECT_EQ(sizes(0, 0.5), std::pair(size_t{0}, size_t{0}));
}

TEST(SplitPhotos, OddSharesAreErrors) {
  for (const double share : {-0.1, 1.1, std::nan(""), HUGE_VAL}) {
    EXPECT_THAT(error_of([&] { split_photos(numbered(10), share, 1); }), HasSubstr("E_USAGE")) << share;
  }
}

}  // namespace
}  // namespace lookalike
