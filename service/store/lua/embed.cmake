# Writes a C file with every script of this folder: prelude.lua and the script as one text, and its
# SHA-1 as Redis computes it. @LIMIT_...@ stands for a number of api/limits.h.
# cmake -DFOLDER=<folder> -DLIMITS=<api/limits.h> -DOUTPUT=<file> -P embed.cmake

cmake_policy(VERSION 3.22)
file(READ ${FOLDER}/prelude.lua prelude)
file(GLOB scripts ${FOLDER}/*.lua)
list(SORT scripts)
file(READ ${LIMITS} limits)
string(REGEX MATCHALL "LIMIT_[A-Z_0-9]+ = [0-9]+[,\n]" limits "${limits}")
foreach(limit ${limits})
  string(REGEX MATCH "(LIMIT_[A-Z_0-9]+) = ([0-9]+)" whole ${limit})
  set(${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
endforeach()

set(code "#include \"service/store/scripts.h\"\n")
foreach(path ${scripts})
  get_filename_component(name ${path} NAME_WE)
  if(name STREQUAL "prelude")
    continue()
  endif()
  file(READ ${path} body)
  set(whole ${OUTPUT}.${name}.lua)
  file(WRITE ${whole}.in "${prelude}\n${body}")
  configure_file(${whole}.in ${whole} @ONLY)
  file(SHA1 ${whole} sha1)
  file(READ ${whole} bytes HEX)
  file(REMOVE ${whole} ${whole}.in)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(APPEND code "\nstatic const char source_${name}[] = {${bytes}0};\n"
                     "const struct script script_${name} = {\"${name}\", source_${name}, \"${sha1}\"};\n")
endforeach()
file(WRITE ${OUTPUT} "${code}")
