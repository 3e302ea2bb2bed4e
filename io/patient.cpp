// patient_of: who is behind an original file name.
#include <cctype>
#include <filesystem>

#include "io/groups.h"
#include "io/image.h"

namespace innerloop::io {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alpha(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }
bool is_hex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

std::size_t digits_from(std::string_view s, std::size_t at) {
  std::size_t n = 0;
  while (at + n < s.size() && is_digit(s[at + n])) ++n;
  return n;
}

bool same_text(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::tolower(static_cast<unsigned char>(a[i])) != std::tolower(static_cast<unsigned char>(b[i]))) return false;
  return true;
}

/// 8-4-4-4-12 hex digits at the beginning: an image published under a random name. What follows ("..annot") is kept
/// off.
bool begins_with_uuid(std::string_view s) {
  if (s.size() < 36) return false;
  for (std::size_t i = 0; i < 36; ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? s[i] != '-' : !is_hex(s[i])) return false;
  }
  return true;
}

/// A word of 16 or more hex digits is a random name; its last letter is no panel.
bool is_random_name(std::string_view word) {
  if (word.size() < 16) return false;
  for (const char c : word)
    if (!is_hex(c)) return false;
  return true;
}

/// "day7", "PA", and after a dash "a" or "b2" (panels; "_f1" is a figure): a word that tells images of one patient
/// apart.
bool is_mark(std::string_view word, char separator) {
  static constexpr std::string_view kWords[] = {"pa",      "ap",   "l",     "r",   "lat",       "lateral",
                                                "frontal", "left", "right", "day", "admission", "follow"};
  for (const std::string_view known : kWords)
    if (same_text(word, known)) return true;
  if (word.size() == 1 || word.size() == 2)
    return separator == '-' && is_alpha(word[0]) && (word.size() == 1 || is_digit(word[1]));
  return word.size() > 3 && same_text(word.substr(0, 3), "day") && digits_from(word, 3) == word.size() - 3;
}

bool is_unit(std::string_view word) {
  for (const std::string_view known : {"hours", "hour", "days", "day", "weeks", "week"})
    if (same_text(word, known)) return true;
  return false;
}

bool is_number(std::string_view word) { return !word.empty() && digits_from(word, 0) == word.size(); }

/// Splits the last word off at '-' or '_'; nothing is left of a text without one.
std::pair<std::string_view, std::string_view> split_last(std::string_view s) {
  const std::size_t at = s.find_last_of("-_");
  if (at == std::string_view::npos || at == 0) return {"", s};
  return {s.substr(0, at), s.substr(at + 1)};
}

std::string_view without_marks(std::string_view s) {
  for (;;) {
    const auto [rest, word] = split_last(s);
    const auto [rest2, word2] = split_last(rest);
    if (!rest2.empty() && ((is_unit(word) && is_number(word2)) || (is_number(word) && same_text(word2, "day")))) {
      s = rest2;  // "..-12-hours", "..-day-1"
    } else if (!rest.empty() && is_mark(word, s[rest.size()])) {
      s = rest;
    } else if (word.size() >= 2 && is_alpha(s.back()) && is_digit(s[s.size() - 2]) && !is_random_name(word)) {
      s.remove_suffix(1);  // "fig1a", "COVID-00003b"
    } else {
      return s;
    }
  }
}

}  // namespace

std::string patient_of(std::string_view original_name) {
  std::string_view s = original_name.substr(original_name.find_last_of('/') + 1);
  if (has_image_extension(s)) s = s.substr(0, s.rfind('.'));

  constexpr std::string_view kPerson = "person";
  if (s.starts_with(kPerson)) {
    if (const std::size_t n = digits_from(s, kPerson.size()); n > 0)
      return std::string(s.substr(0, kPerson.size() + n));
  }
  constexpr std::string_view kSeries = "IM-";
  if (const std::size_t at = s.find(kSeries); at != std::string_view::npos && (at == 0 || s[at - 1] == '-')) {
    if (const std::size_t n = digits_from(s, at + 3); n > 0) return std::string(s.substr(0, at + 3 + n));
  }
  if (digits_from(s, 0) == 8 && s.size() > 9 && s[8] == '_' && is_number(s.substr(9)))
    return std::string(s.substr(0, 8));
  if (begins_with_uuid(s)) return std::string(s.substr(0, 36));
  return std::string(without_marks(s));
}

}  // namespace innerloop::io
