# Writes a C file with every script of this folder: prelude.lua and the script as one text, and its
# SHA-1 as Redis computes it. cmake -DFOLDER=<folder> -DOUTPUT=<file> -P embed.cmake

file(READ ${FOLDER}/prelude.lua prelude)
file(GLOB scripts ${FOLDER}/*.lua)
list(SORT scripts)
set(code "#include \"service/store/scripts.h\"\n")
foreach(path ${scripts})
  get_filename_component(name ${path} NAME_WE)
  if(name STREQUAL "prelude")
    continue()
  endif()
  file(READ ${path} body)
  set(whole ${OUTPUT}.${name}.lua)
  file(WRITE ${whole} "${prelude}\n${body}")
  file(SHA1 ${whole} sha1)
  file(READ ${whole} bytes HEX)
  file(REMOVE ${whole})
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(APPEND code "\nstatic const char source_${name}[] = {${bytes}0};\n"
                     "const struct script script_${name} = {\"${name}\", source_${name}, \"${sha1}\"};\n")
endforeach()
file(WRITE ${OUTPUT} "${code}")
