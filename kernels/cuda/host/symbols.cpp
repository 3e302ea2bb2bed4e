// Names and source positions: the program's own symbol table for functions, addr2line for lines (only when reporting).
#include <cxxabi.h>
#include <elf.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <unordered_map>
#include <vector>

#include "kernels/cuda/host/diagnostics.h"

namespace innerloop::host_executor {
namespace {

struct Symbol {
  std::uintptr_t address;
  std::string name;
};

std::string program_path() {
  std::array<char, 4096> path;
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  return length > 0 ? std::string(path.data(), static_cast<std::size_t>(length)) : std::string();
}

std::string demangled(const std::string& name) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), std::free);
  return status == 0 ? text.get() : name;
}

/// The functions of the program's .symtab, by address. It also names functions with internal linkage, which dladdr does not.
std::vector<Symbol> read_functions() {
  std::vector<Symbol> functions;
  std::ifstream file(program_path(), std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto read = [&](std::size_t offset, auto& value) {
    if (offset > bytes.size() || sizeof value > bytes.size() - offset) return false;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return true;
  };
  ElfW(Ehdr) header;
  if (!read(0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return functions;
  for (unsigned s = 0; s < header.e_shnum; ++s) {
    ElfW(Shdr) section, strings;
    if (!read(header.e_shoff + s * sizeof section, section) || section.sh_type != SHT_SYMTAB) continue;
    if (!read(header.e_shoff + section.sh_link * sizeof strings, strings)) continue;
    for (std::size_t at = section.sh_offset; at < section.sh_offset + section.sh_size; at += sizeof(ElfW(Sym))) {
      ElfW(Sym) symbol;
      if (!read(at, symbol) || ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_value == 0) continue;
      const std::size_t name = strings.sh_offset + symbol.st_name;
      if (name >= bytes.size()) continue;
      const std::size_t limit = std::min<std::size_t>(bytes.size() - name, 1 << 14);
      functions.push_back({symbol.st_value, std::string(bytes.data() + name, strnlen(bytes.data() + name, limit))});
    }
  }
  std::sort(functions.begin(), functions.end(), [](const Symbol& a, const Symbol& b) { return a.address < b.address; });
  return functions;
}

std::string ask_addr2line(std::uintptr_t return_address) {
  const std::string path = program_path();
  if (path.empty() || path.find('\'') != std::string::npos) return "?";
  const std::string command = fmt::format("addr2line -C -i -f -e '{}' {:#x} 2>/dev/null", path,
                                          return_address - program_image().base - 1);
  std::string output;
  if (FILE* pipe = popen(command.c_str(), "r")) {
    std::array<char, 4096> buffer;
    for (std::size_t n; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) output.append(buffer.data(), n);
    pclose(pipe);
  }
  // Two lines a frame, innermost first: function, then file:line.
  const std::size_t first = output.find('\n');
  const std::size_t second = output.find('\n', first == std::string::npos ? first : first + 1);
  if (second == std::string::npos) return "?";
  std::string place = output.substr(first + 1, second - first - 1);
  if (const auto note = place.find(" (discriminator"); note != std::string::npos) place.resize(note);
  return fmt::format("{} ({})", place, output.substr(0, first));
}

}  // namespace

const ProgramImage& program_image() {
  static const ProgramImage image = [] {
    ProgramImage found;
    dl_iterate_phdr(
        [](dl_phdr_info* object, std::size_t, void* result) {
          auto& bounds = *static_cast<ProgramImage*>(result);
          bounds.base = object->dlpi_addr;
          bounds.low = ~std::uintptr_t{0};
          for (int i = 0; i < object->dlpi_phnum; ++i) {
            const auto& segment = object->dlpi_phdr[i];
            if (segment.p_type != PT_LOAD) continue;
            bounds.low = std::min<std::uintptr_t>(bounds.low, bounds.base + segment.p_vaddr);
            bounds.high = std::max<std::uintptr_t>(bounds.high, bounds.base + segment.p_vaddr + segment.p_memsz);
          }
          return 1;  // the first object is the main program
        },
        &found);
    return found;
  }();
  return image;
}

std::string function_name(const void* address) {
  static const std::vector<Symbol> functions = read_functions();
  const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(address) - program_image().base;
  const auto found = std::lower_bound(functions.begin(), functions.end(), offset,
                                      [](const Symbol& symbol, std::uintptr_t at) { return symbol.address < at; });
  if (found == functions.end() || found->address != offset) return fmt::format("kernel at {}", address);
  return demangled(found->name);
}

std::string unqualified(const std::string& demangled) {
  int depth = 0;
  std::size_t start = 0;
  for (std::size_t i = 0; i < demangled.size(); ++i) {
    const char c = demangled[i];
    if (c == '<') ++depth;
    if (c == '>') --depth;
    if (depth > 0) continue;
    if (demangled.compare(i, 21, "(anonymous namespace)") == 0) {
      i += 20;
    } else if (c == ' ' || c == ':') {
      start = i + 1;
    } else if (c == '(') {
      return demangled.substr(start, i - start);
    }
  }
  return demangled.substr(start);
}

std::string source_position(std::uintptr_t return_address) {
  static auto* const known = new std::unordered_map<std::uintptr_t, std::string>;  // addr2line takes a tenth of a second
  std::string& position = (*known)[return_address];
  if (position.empty()) position = ask_addr2line(return_address);
  return position;
}

}  // namespace innerloop::host_executor
