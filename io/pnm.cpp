#include "io/pnm.h"

#include "tensor/error.h"

namespace innerloop::io {
namespace {

struct Header {
  std::int64_t width, height, max_value, channels;
  std::size_t data;  ///< where the samples begin
};

bool is_space(std::uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

Header parse_header(std::span<const std::uint8_t> bytes, const std::string& name) {
  std::size_t at = 2;
  const auto number = [&](const char* what) {
    while (at < bytes.size() && (is_space(bytes[at]) || bytes[at] == '#')) {
      if (bytes[at] == '#')
        while (at < bytes.size() && bytes[at] != '\n') ++at;
      else
        ++at;
    }
    const std::size_t first = at;
    std::int64_t value = 0;
    for (; at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '9'; ++at) {
      value = value * 10 + (bytes[at] - '0');
      IL_CHECK(value <= 1'000'000'000, "{}: the {} in its header is absurd", name, what);
    }
    IL_CHECK(at > first, "{}: its PGM or PPM header lacks the {}", name, what);
    return value;
  };
  Header h{};
  h.channels = bytes[1] == '6' ? 3 : 1;
  h.width = number("width");
  h.height = number("height");
  h.max_value = number("maximum value");
  IL_CHECK(h.max_value >= 1 && h.max_value <= 65535, "{}: the maximum value {} is not in 1 .. 65535", name,
           h.max_value);
  IL_CHECK(at < bytes.size() && is_space(bytes[at]), "{}: truncated: it ends in its header", name);
  h.data = at + 1;
  return h;
}

}  // namespace

bool is_pnm(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= 3 && bytes[0] == 'P' && (bytes[1] == '5' || bytes[1] == '6') && is_space(bytes[2]);
}

ImageSize pnm_size(std::span<const std::uint8_t> bytes, const std::string& name) {
  const Header h = parse_header(bytes, name);
  return {h.height, h.width};
}

Image decode_pnm(std::span<const std::uint8_t> bytes, const std::string& name) {
  const Header h = parse_header(bytes, name);
  const std::size_t samples = static_cast<std::size_t>(h.width * h.height * h.channels);
  const std::size_t sample_bytes = h.max_value > 255 ? 2 : 1;
  IL_CHECK(bytes.size() - h.data >= samples * sample_bytes,
           "{}: truncated: {}x{} needs {} bytes of samples, {} are there", name, h.width, h.height,
           samples * sample_bytes, bytes.size() - h.data);
  Image image{h.height, h.width, h.channels, std::vector<std::uint8_t>(samples), sample_bytes == 2 ? 16 : 8};
  const std::uint8_t* from = bytes.data() + h.data;
  for (std::size_t i = 0; i < samples; ++i) {
    const std::int64_t sample = sample_bytes == 2 ? from[2 * i] * 256 + from[2 * i + 1] : from[i];
    const std::int64_t scaled = (std::min(sample, h.max_value) * 255 + h.max_value / 2) / h.max_value;
    image.pixels[i] = static_cast<std::uint8_t>(scaled);
  }
  return image;
}

}  // namespace innerloop::io
