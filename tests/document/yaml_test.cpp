#include "document/yaml.hpp"

#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "document/scalar.hpp"

namespace gpuhost {
namespace {

struct Parsed {
  Diagnostics diagnostics;
  std::optional<Node> root;

  explicit Parsed(std::string text, const YamlLimits& limits = {}) {
    const auto source = diagnostics.add_source({"t.yaml", std::move(text)});
    root = parse_yaml(source, diagnostics, limits);
  }
  [[nodiscard]] std::string problem() const {
    const auto problems = diagnostics.sorted();
    return problems.empty() ? "" : std::string(problems.front().message->id);
  }
  [[nodiscard]] Mark mark() const { return diagnostics.sorted().at(0).mark; }
};

TEST(Yaml, KeepsTheTextOfScalarsAndWhetherTheyWereQuoted) {
  const Parsed parsed("a: 19.50\nb: \"19.50\"\nc: on\nd: |\n  text\ne: 'x'\n");
  ASSERT_TRUE(parsed.root);
  EXPECT_EQ(parsed.root->find("a")->text, "19.50");
  EXPECT_FALSE(parsed.root->find("a")->quoted);
  EXPECT_TRUE(parsed.root->find("b")->quoted);
  EXPECT_EQ(parsed.root->find("c")->text, "on");
  EXPECT_EQ(parsed.root->find("d")->text, "text\n");
  EXPECT_TRUE(parsed.root->find("d")->quoted);
  EXPECT_TRUE(parsed.root->find("e")->quoted);
}

TEST(Yaml, KnowsWhereKeysAndValuesStand) {
  const Parsed parsed("a:\n  b: [1, two]\n");
  ASSERT_TRUE(parsed.root);
  const auto& inner = parsed.root->find("a")->entries.at(0);
  EXPECT_EQ(inner.key_mark, (Mark{0, 2, 3}));
  EXPECT_EQ(inner.value.items.at(1).mark, (Mark{0, 2, 10}));
}

TEST(Yaml, TellsNullFromEmptyText) {
  const Parsed parsed("a:\nb: ~\nc: ''\n");
  ASSERT_TRUE(parsed.root);
  EXPECT_EQ(parsed.root->find("a")->kind, Node::Kind::null);
  EXPECT_EQ(parsed.root->find("b")->kind, Node::Kind::null);
  EXPECT_EQ(parsed.root->find("c")->kind, Node::Kind::scalar);
}

TEST(Yaml, ExpandsAliases) {
  const Parsed parsed("a: &x {b: 1}\nc: *x\n");
  ASSERT_TRUE(parsed.root);
  EXPECT_EQ(parsed.root->find("c")->find("b")->text, "1");
}

TEST(Yaml, StopsAtAliasesThatGrowWithoutEnd) {
  std::string text = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n";
  for (char name = 'b'; name <= 'z'; ++name) {
    text += std::string(1, name) + ": &" + name + " [";
    for (int i = 0; i < 9; ++i) text += std::string(i == 0 ? "*" : ", *") + static_cast<char>(name - 1);
    text += "]\n";
  }
  EXPECT_EQ(Parsed(text).problem(), "too-many-values");
}

TEST(Yaml, RefusesAnAliasInsideItsOwnAnchor) {
  EXPECT_EQ(Parsed("a: &x [*x]\n").problem(), "recursive-alias");
}

TEST(Yaml, RefusesAnAliasWithoutAnchor) {
  EXPECT_EQ(Parsed("a: *x\n").problem(), "yaml-syntax");
}

TEST(Yaml, CountsTheDepthOfWhatAnAliasRepeats) {
  const YamlLimits limits{.depth = 4};
  EXPECT_EQ(Parsed("a: &x [[1]]\nb: *x\n", limits).problem(), "");
  EXPECT_EQ(Parsed("a: &x [[1]]\nb: {c: *x}\n", limits).problem(), "too-deep");
}

TEST(Yaml, RefusesWhatIsTooDeepOrTooLarge) {
  EXPECT_EQ(Parsed(std::string(33, '[') + std::string(33, ']')).problem(), "too-deep");
  EXPECT_EQ(Parsed("a: 12345\n", {.bytes = 8}).problem(), "file-too-large");
  EXPECT_EQ(Parsed("a: 1\n", {.bytes = 5}).problem(), "");
  EXPECT_EQ(Parsed("[1, 2, 3]", {.nodes = 3}).problem(), "too-many-values");
}

TEST(Yaml, EndsSoonOnHostileNesting) {
  for (const std::string piece : {"[", "{", "- ", "? ", "a: ", "[{", "&a [", "!!a "}) {
    std::string text;
    while (text.size() < 100'000) text += piece;
    EXPECT_NE(Parsed(text).problem(), "") << piece;
  }
}

TEST(Yaml, ReportsEveryDuplicateKeyWithBothPlaces) {
  const Parsed parsed("a: 1\nb: {c: 1, c: 2}\na: 2\n");
  const auto problems = parsed.diagnostics.sorted();
  ASSERT_EQ(problems.size(), 2U);
  EXPECT_EQ(problems[0].mark, (Mark{0, 2, 11}));
  EXPECT_EQ(problems[1].other, (Mark{0, 1, 1}));
  EXPECT_FALSE(parsed.root);
}

TEST(Yaml, RefusesTags) {
  EXPECT_EQ(Parsed("a: !!str 1\n").problem(), "tag");
  EXPECT_EQ(Parsed("a: !own [1]\n").problem(), "tag");
}

TEST(Yaml, RefusesASecondDocument) {
  const Parsed parsed("a: 1\n---\nb: 1\n");
  EXPECT_EQ(parsed.problem(), "several-documents");
  EXPECT_EQ(parsed.mark().line, 2U);
  EXPECT_EQ(Parsed("---\na: 1\n").problem(), "");
}

TEST(Yaml, RefusesFilesWithoutContent) {
  EXPECT_EQ(Parsed("").problem(), "empty-file");
  EXPECT_EQ(Parsed("# only this\n").problem(), "empty-file");
}

TEST(Yaml, FindsTheByteThatIsNotText) {
  EXPECT_EQ(Parsed(std::string("a: 1\nb: \0\n", 10)).mark(), (Mark{0, 2, 4}));
  EXPECT_EQ(Parsed("a: \xff\n").problem(), "not-utf8");
  EXPECT_EQ(Parsed("a: \xc0\xaf\n").problem(), "not-utf8");          // overlong
  EXPECT_EQ(Parsed("a: \xed\xa0\x80\n").problem(), "not-utf8");      // surrogate
  EXPECT_EQ(Parsed("a: \xf4\x90\x80\x80\n").problem(), "not-utf8");  // beyond Unicode
  EXPECT_EQ(Parsed("a: \xe2\x82").problem(), "not-utf8");            // cut off
  EXPECT_EQ(Parsed("a: \xe2\x82\xac\n").problem(), "");
  EXPECT_EQ(Parsed("\xef\xbb\xbf"
                   "a: 1\n")
                .problem(),
            "");  // byte order mark
}

TEST(Yaml, RefusesKeysThatAreNoWords) {
  EXPECT_EQ(Parsed("? [a]\n: 1\n").problem(), "key-not-text");
  EXPECT_EQ(Parsed("~: 1\n").problem(), "key-not-text");
}

TEST(Scalar, IsTypedAsYaml12Does) {
  for (const auto* text : {"1", "-17", "0x1F", "0o17", "+3"})
    EXPECT_EQ(plain_type(text), PlainType::integer) << text;
  for (const auto* text : {"19.5", "1e3", ".5", "1.", "-.inf", ".nan"})
    EXPECT_EQ(plain_type(text), PlainType::real) << text;
  for (const auto* text : {"true", "FALSE"}) EXPECT_EQ(plain_type(text), PlainType::boolean) << text;
  for (const auto* text : {"~", "null", ""}) EXPECT_EQ(plain_type(text), PlainType::null) << text;
  for (const auto* text :
       {"on", "yes", "580.159.01", "10de:20b0", "1g.10gb", "0x", "-", ".", "e3", "1e", "0o8"})
    EXPECT_EQ(plain_type(text), PlainType::text) << text;
}

bool same(const Node& a, const Node& b) {
  if (a.kind != b.kind || a.text != b.text || a.items.size() != b.items.size() ||
      a.entries.size() != b.entries.size())
    return false;
  if (a.quoted != b.quoted && plain_type(a.text) != PlainType::text) return false;
  for (std::size_t i = 0; i < a.items.size(); ++i)
    if (!same(a.items[i], b.items[i])) return false;
  for (std::size_t i = 0; i < a.entries.size(); ++i)
    if (a.entries[i].key != b.entries[i].key || !same(a.entries[i].value, b.entries[i].value)) return false;
  return true;
}

void expect_round_trip(const Node& node) {
  const auto written = emit_yaml(node);
  const Parsed parsed(written);
  ASSERT_TRUE(parsed.root) << written << parsed.diagnostics.render();
  EXPECT_TRUE(same(node, *parsed.root)) << written;
  EXPECT_EQ(emit_yaml(*parsed.root), written);
}

TEST(EmitYaml, WritesWhatIsReadBackTheSame) {
  const Parsed parsed(
      "a: {b: [1, '1', {c: [[x], []]}], d: {}, e: ~}\n\"on: off\": 'true'\nf: -1\ng: \"\"\nh: a#b\ni: 'a "
      "#b'\n"
      "j: |\n  one\n    two\n\n  three\nk: |-\n  one\n  two\nl: |+\n  one\n  two\n\nm: "
      "\"\\e[0m\\t\\\"\\\\\"\n");
  ASSERT_TRUE(parsed.root) << parsed.diagnostics.render();
  expect_round_trip(*parsed.root);
}

TEST(EmitYaml, QuotesTextThatWouldBeReadAsSomethingElse) {
  for (const std::string text :
       {"",       " ",      "x ",   "1",    "1.0",  "true",   "null",    "~",   "- a",
        "-",      "a: b",   "a:",   "a #b", "#a",   "[",      "{a}",     "*a",  "&a",
        "!a",     "|",      ">",    "'",    "\"",   "%a",     "@a",      "`a",  "? a",
        "---",    "...",    "a\tb", "\x01", "a\nb", "a\nb\n", "a\n\n\n", "\na", " a\nb",
        "\ta\nb", "a\r\nb", "\n",   "ä",    "a\\b", "-1",     "=",       "<<",  "a\n b\n"}) {
    Node map;
    map.kind = Node::Kind::mapping;
    map.entries.push_back({"key", {}, text_node(text)});
    map.entries.push_back({text, {}, text_node("after")});
    Node list;
    list.kind = Node::Kind::sequence;
    list.items = {map, text_node(text)};
    expect_round_trip(list);
  }
}

TEST(EmitYaml, QuotesWhatYaml11ReadsAsSomethingElse) {
  for (const std::string text : {"0000:41:00.0", "12:30:45", "+1:59", "on", "Off", "YES", "no", "y", "N"}) {
    Node map = mapping_node();
    add_entry(map, text, text_node(text));
    EXPECT_EQ(emit_yaml(map), fmt::format("\"{0}\": \"{0}\"\n", text));
  }
  for (const std::string text : {"0000:41:00.0a", "1:599", "once", "a:b"})
    EXPECT_EQ(emit_yaml(text_node(text)), text + "\n");
}

TEST(EmitYaml, UsesLiteralBlocksForLines) {
  EXPECT_EQ(emit_yaml(text_node("one\ntwo\n")), "|\n  one\n  two\n");
}

}  // namespace
}  // namespace gpuhost
