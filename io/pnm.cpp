#include "io/pnm.h"

#include <algorithm>

#include "tensor/error.h"

namespace innerloop::io {
namespace {

struct Header {
  std::int64_t width, height, max_value, channels;
  std::size_t data;  ///< where the samples begin
};

bool is_space(std::uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool is_digit(std::uint8_t c) { return c >= '0' && c <= '9'; }

bool in_digits(std::span<const std::uint8_t> bytes) { return bytes[1] == '2' || bytes[1] == '3'; }

/// Moves `at` over white space and comments.
void skip_blank(std::span<const std::uint8_t> bytes, std::size_t& at) {
  while (at < bytes.size() && (is_space(bytes[at]) || bytes[at] == '#')) {
    if (bytes[at] == '#')
      while (at < bytes.size() && bytes[at] != '\n') ++at;
    else
      ++at;
  }
}

Header parse_header(std::span<const std::uint8_t> bytes, const std::string& name) {
  std::size_t at = 2;
  const auto number = [&](const char* what) {
    skip_blank(bytes, at);
    const std::size_t first = at;
    std::int64_t value = 0;
    for (; at < bytes.size() && is_digit(bytes[at]); ++at) {
      value = value * 10 + (bytes[at] - '0');
      IL_CHECK(value <= 1'000'000'000, "{}: the {} in its header is absurd", name, what);
    }
    IL_CHECK(at > first, "{}: its PGM or PPM header lacks the {}", name, what);
    return value;
  };
  Header h{};
  h.channels = bytes[1] == '6' || bytes[1] == '3' ? 3 : 1;
  h.width = number("width");
  h.height = number("height");
  h.max_value = number("maximum value");
  IL_CHECK(h.max_value >= 1 && h.max_value <= 65535, "{}: the maximum value {} is not in 1 .. 65535", name,
           h.max_value);
  IL_CHECK(at < bytes.size() && is_space(bytes[at]), "{}: truncated: it ends in its header", name);
  h.data = at + 1;
  return h;
}

std::uint8_t scaled(std::int64_t sample, std::int64_t max_value) {
  return static_cast<std::uint8_t>((std::min(sample, max_value) * 255 + max_value / 2) / max_value);
}

/// The samples as decimal numbers with blanks between them.
void read_digits(std::span<const std::uint8_t> bytes, const Header& h, const std::string& name, std::span<std::uint8_t> out) {
  std::size_t at = h.data;
  for (std::size_t i = 0; i < out.size(); ++i) {
    skip_blank(bytes, at);
    IL_CHECK(at < bytes.size(), "{}: truncated: {}x{} needs {} samples, {} are there", name, h.width, h.height, out.size(), i);
    IL_CHECK(is_digit(bytes[at]), "{}: corrupt: sample {} is no number; get the file again", name, i);
    std::int64_t sample = 0;
    for (; at < bytes.size() && is_digit(bytes[at]); ++at) sample = std::min<std::int64_t>(sample * 10 + (bytes[at] - '0'), 65536);
    IL_CHECK(sample <= h.max_value, "{}: corrupt: sample {} is more than the maximum value, {}", name, i, h.max_value);
    out[i] = scaled(sample, h.max_value);
  }
}

}  // namespace

bool is_pnm(std::span<const std::uint8_t> bytes) {
  const bool known = bytes.size() >= 3 && (bytes[1] == '2' || bytes[1] == '3' || bytes[1] == '5' || bytes[1] == '6');
  return known && bytes[0] == 'P' && is_space(bytes[2]);
}

ImageSize pnm_size(std::span<const std::uint8_t> bytes, const std::string& name) {
  const Header h = parse_header(bytes, name);
  return {h.height, h.width};
}

Image decode_pnm(std::span<const std::uint8_t> bytes, const std::string& name) {
  const Header h = parse_header(bytes, name);
  const std::size_t samples = static_cast<std::size_t>(h.width * h.height * h.channels);
  const std::size_t sample_bytes = h.max_value > 255 ? 2 : 1;
  // In digits a sample takes two bytes at least, but for the last: its digit, and the blank before the next.
  const std::size_t needed = in_digits(bytes) ? 2 * samples - 1 : samples * sample_bytes;
  IL_CHECK(bytes.size() - h.data >= needed, "{}: truncated: {}x{} needs {} bytes of samples, {} are there", name, h.width,
           h.height, needed, bytes.size() - h.data);
  Image image{h.height, h.width, h.channels, std::vector<std::uint8_t>(samples), sample_bytes == 2 ? 16 : 8};
  if (in_digits(bytes)) {
    read_digits(bytes, h, name, image.pixels);
    return image;
  }
  const std::uint8_t* from = bytes.data() + h.data;
  for (std::size_t i = 0; i < samples; ++i) {
    const std::int64_t sample = sample_bytes == 2 ? from[2 * i] * 256 + from[2 * i + 1] : from[i];
    image.pixels[i] = scaled(sample, h.max_value);
  }
  return image;
}

}  // namespace innerloop::io
