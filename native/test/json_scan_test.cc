// The shim's look into configurations and replies.
#include "core/json_scan.h"

#include "test/test.h"

namespace multus {
namespace {

using std::string_view_literals::operator""sv;

std::string Quoted(std::string_view text) {
  std::string out;
  AppendJsonString(&out, text);
  return out;
}

// What is not JSON is for the daemon to refuse, with its reason; the shim must only not fall over
// it.
TEST(FindJsonValue_finds_nothing_in_what_is_no_object) {
  for (const std::string_view document :
       {""sv,         " "sv,           "null"sv,          "[]"sv,
        "\"a\""sv,    "{"sv,           "{\"a\""sv,        "{\"a\":"sv,
        "{\"a\":1"sv, "{\"a\":1,"sv,   "{\"a\":1,}"sv,    "{\"a\" 1}"sv,
        "{a:1}"sv,    "{\"a\":1} x"sv, "{\"a\":[1}"sv,    "{\"a\":\"\\"sv,
        "{\"a\":}"sv, "{\"a\":\"x}"sv, "{\"b\":[[[[[["sv, "\"\\u12"sv}) {
    EXPECT(!FindJsonValue(document, "a").has_value());
    EXPECT(!FindJsonString(document, "a").has_value());
  }
}

// The wrong socket directory means: no daemon, and every pod on the slow path.
TEST(FindJsonValue_looks_at_the_top_level_only) {
  constexpr std::string_view kDocument =
      R"({"type":"multus","delegates":[{"binDir":"/wrong","x":"}]\""}],"args":{"binDir":"/wrong"},)"
      R"( "binDir" : "/right" , "n":-1.5e3,"t":true})";
  EXPECT(FindJsonString(kDocument, "binDir") == "/right");
  EXPECT(FindJsonValue(kDocument, "n") == "-1.5e3");
  EXPECT(FindJsonValue(kDocument, "args") == "{\"binDir\":\"/wrong\"}");
  EXPECT(!FindJsonValue(kDocument, "x").has_value());
  EXPECT(!FindJsonString(kDocument, "n").has_value());
  EXPECT(!FindJsonString("{}", "binDir").has_value());
}

// Daemon and shim must read the same file the same way, and the daemon reads it as Go would.
TEST(FindJsonString_matches_keys_as_Go_does) {
  EXPECT(FindJsonString(R"({"DAEMONSOCKETDIR":"/a"})", "daemonSocketDir") == "/a");
  EXPECT(FindJsonString(R"({"binDir":"/a","BinDir":"/b"})", "binDir") == "/b");
  EXPECT(FindJsonString("{\"daemon\xC5\xBFoc\xE2\x84\xAA"
                        "etDir\":\"/a\"}",
                        "daemonSocketDir") == "/a");
  EXPECT(FindJsonString(R"({"bin\u0044ir":"/a"})", "binDir") == "/a");
}

TEST(FindJsonString_decodes_escapes) {
  EXPECT(FindJsonString(R"({"a":"\"\\\/\b\f\n\r\t"})", "a") == "\"\\/\b\f\n\r\t");
  EXPECT(FindJsonString(R"({"a":"\u0041\u00e9\u20AC\ud83d\ude00"})", "a") ==
         "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  EXPECT(FindJsonString(R"({"a":"\ud83d\u0041\ude00"})", "a") ==
         "\xEF\xBF\xBD"
         "A\xEF\xBF\xBD");
  EXPECT(FindJsonString(R"({"a":"\u0000"})", "a") == "\0"sv);
  EXPECT(!FindJsonString(R"({"a":"\x"})", "a").has_value());
  EXPECT(!FindJsonString(R"({"a":"\u12g4"})", "a").has_value());
  EXPECT(!FindJsonString(R"({"a":"\u12"})", "a").has_value());
  EXPECT(!FindJsonString("{\"a\":\"x\ny\"}", "a").has_value());
}

// CNI_ARGS is whatever the runtime passes: the request must parse all the same.
TEST(AppendJsonString_escapes_everything) {
  EXPECT_EQ(Quoted("plain"), "\"plain\"");
  EXPECT_EQ(Quoted("a\"b\\c\n\x01\x7f"), "\"a\\\"b\\\\c\\u000a\\u0001\x7f\"");
  EXPECT_EQ(Quoted("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"),
            "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"");
}

TEST(AppendJsonString_replaces_what_is_not_UTF8) {
  EXPECT_EQ(Quoted("\xff"), "\"\xEF\xBF\xBD\"");
  EXPECT_EQ(Quoted("\xC3"), "\"\xEF\xBF\xBD\"");
  EXPECT_EQ(Quoted("\xC0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");                  // Overlong NUL.
  EXPECT_EQ(Quoted("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");  // A surrogate.
  EXPECT_EQ(Quoted("\xF4\x90\x80\x80").size(), 2U + 4 * 3);  // Beyond U+10FFFF.
}

TEST(AppendJsonString_is_read_back_by_FindJsonString) {
  std::string text;
  for (int c = 0; c < 128; c++) text.push_back(static_cast<char>(c));
  EXPECT(FindJsonString("{\"a\":" + Quoted(text) + "}", "a") == text);
}

}  // namespace
}  // namespace multus
