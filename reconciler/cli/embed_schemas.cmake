# cmake -DOUTPUT=FILE.cpp -DSCHEMAS=a.schema.json,b.schema.json -P embed_schemas.cmake
string(REPLACE "," ";" files "${SCHEMAS}")
set(entries "")
foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME)
  string(REPLACE ".schema.json" "" name "${name}")
  file(READ "${file}" text)
  string(APPEND entries "    {\"${name}\", R\"gpuhost(${text})gpuhost\"},\n")
endforeach()
file(WRITE "${OUTPUT}"
"#include <array>

#include \"cli/embedded_schemas.hpp\"

namespace gpuhost {

std::span<const EmbeddedSchema> embedded_schemas() {
  static constexpr auto schemas = std::to_array<EmbeddedSchema>({
${entries}  });
  return schemas;
}

}  // namespace gpuhost
")
