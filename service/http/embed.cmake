# Writes FILES (a list) as the C arrays of embedded.h into OUTPUT.
set(text "#include \"service/http/embedded.h\"\n\n#include <string.h>\n\n")
set(rows "")
foreach(input IN LISTS FILES)
  get_filename_component(name ${input} NAME)
  string(MAKE_C_IDENTIFIER ${name} symbol)
  file(READ ${input} hex HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND text "static const unsigned char ${symbol}[] = {\n${bytes}};\n\n")
  string(APPEND rows "    {\"${name}\", ${symbol}, sizeof ${symbol}},\n")
endforeach()
file(WRITE ${OUTPUT} "${text}"
     "static const struct embedded_file file[] = {\n${rows}};\n\n"
     "const struct embedded_file *embedded_find(const char *name) {\n"
     "    for (size_t i = 0; i < sizeof file / sizeof file[0]; i++)\n"
     "        if (strcmp(name, file[i].name) == 0)\n"
     "            return &file[i];\n"
     "    return NULL;\n"
     "}\n")
