#include "host/memo_files.hpp"

#include <gtest/gtest.h>

namespace gpuhost {
namespace {

/// Answers anew at every call, so that a second call shows.
class CountingFiles final : public FileReader {
 public:
  mutable int calls = 0;
  [[nodiscard]] Result<std::string> read(const std::string& path) const override {
    if (path == "/secret") return next(), fail(ErrorKind::denied, "no");
    return std::to_string(next());
  }
  [[nodiscard]] Result<std::vector<std::string>> list(const std::string&) const override {
    return std::vector<std::string>{std::to_string(next())};
  }
  [[nodiscard]] Result<std::string> link_target(const std::string&) const override {
    return std::to_string(next());
  }
  [[nodiscard]] Result<FileStatus> status(const std::string& path) const override {
    next();
    if (path == "/gone") return fail(ErrorKind::not_found, "gone");
    if (path == "/secret") return fail(ErrorKind::denied, "no");
    return FileStatus{};
  }
  [[nodiscard]] Result<std::string> digest(const std::string&) const override {
    return std::to_string(next());
  }

 private:
  int next() const { return ++calls; }
};

TEST(MemoFiles, AsksOnceForEachPathAndQuestionErrorsIncluded) {
  const CountingFiles files;
  const MemoFiles memo(files);
  EXPECT_EQ(memo.read("/a").value(), "1");
  EXPECT_EQ(memo.read("/a").value(), "1");
  EXPECT_EQ(memo.list("/a").value().front(), "2");
  EXPECT_EQ(memo.link_target("/a").value(), "3");
  EXPECT_EQ(memo.read("/secret").error().kind, ErrorKind::denied);
  EXPECT_EQ(memo.read("/secret").error().kind, ErrorKind::denied);
  EXPECT_EQ(files.calls, 4);
  EXPECT_EQ(memo.digest("/a").value(), "5");
  EXPECT_EQ(memo.digest("/a").value(), "5");
  EXPECT_EQ(memo.digests().size(), 1U);
  EXPECT_EQ(memo.reads().size(), 2U);
}

TEST(FileReader, ExistsTellsAbsentFromUnknown) {
  const CountingFiles files;
  EXPECT_TRUE(files.exists("/a").value());
  EXPECT_FALSE(files.exists("/gone").value());
  EXPECT_EQ(files.exists("/secret").error().kind, ErrorKind::denied);
}

}  // namespace
}  // namespace gpuhost
