# Writes INPUT as the C array of openapi.h into OUTPUT.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUTPUT} "#include \"service/http/openapi.h\"\n\n"
     "const unsigned char openapi_yaml[] = {\n${bytes}};\n"
     "const size_t openapi_yaml_bytes = sizeof openapi_yaml;\n")
