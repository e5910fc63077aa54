# cmake -DOUTPUT=FILE.cpp -DTABLES=boards.tsv,vgpu-types.tsv -P embed_tables.cmake
# boards.tsv becomes gpuhost::catalog::boards_table, vgpu-types.tsv vgpu_types_table.
string(REPLACE "," ";" files "${TABLES}")
set(definitions "")
foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME_WE)
  string(REPLACE "-" "_" name "${name}")
  file(READ "${file}" text)
  string(APPEND definitions "constinit const std::string_view ${name}_table = R\"gpuhost(${text})gpuhost\";\n")
endforeach()
file(WRITE "${OUTPUT}"
"#include \"catalog/tables.hpp\"

namespace gpuhost::catalog {

${definitions}
}  // namespace gpuhost::catalog
")
