# Builds a codec library from pinned sources as a static library of our own.
#
# FetchContent gets the sources (FETCHCONTENT_SOURCE_DIR_<KEY> names a checkout to use instead); they are then built
# as a project apart, so that their options, install rules and flags do not mix with ours. libjpeg-turbo allows
# nothing else.
include(FetchContent)
include(ExternalProject)
if(POLICY CMP0135)
  cmake_policy(SET CMP0135 NEW) # extracted files carry the time of extraction
endif()
if(POLICY CMP0174)
  cmake_policy(SET CMP0174 NEW) # an empty argument is an empty argument
endif()

function(volstream_bundle key name)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "URL;SHA256;ARCHIVE;MSVC_ARCHIVE;INCLUDE_SUFFIX" "OPTIONS")
  string(TOLOWER ${key} id)
  # A SOURCE_SUBDIR that does not exist makes FetchContent get the sources without adding them to this project.
  FetchContent_Declare(${id} URL ${arg_URL} URL_HASH SHA256=${arg_SHA256} SOURCE_SUBDIR built-apart)
  FetchContent_MakeAvailable(${id})

  set(archive ${arg_ARCHIVE})
  if(MSVC AND arg_MSVC_ARCHIVE)
    set(archive ${arg_MSVC_ARCHIVE})
  endif()
  set(prefix ${CMAKE_BINARY_DIR}/bundled/${id})
  set(library ${prefix}/lib/${CMAKE_STATIC_LIBRARY_PREFIX}${archive}${CMAKE_STATIC_LIBRARY_SUFFIX})
  set(forwarded "")
  foreach(variable CMAKE_C_COMPILER CMAKE_CXX_COMPILER CMAKE_TOOLCHAIN_FILE CMAKE_MAKE_PROGRAM CMAKE_SYSTEM_PROCESSOR
                   CMAKE_OSX_ARCHITECTURES CMAKE_OSX_DEPLOYMENT_TARGET CMAKE_OSX_SYSROOT CMAKE_MSVC_RUNTIME_LIBRARY)
    if(variable STREQUAL "CMAKE_SYSTEM_PROCESSOR" AND NOT CMAKE_CROSSCOMPILING)
      continue()
    endif()
    if(${variable})
      string(REPLACE ";" "|" value "${${variable}}")
      list(APPEND forwarded "-D${variable}=${value}")
    endif()
  endforeach()
  string(JOIN " " flags ${VOLSTREAM_HARDENING})
  ExternalProject_Add(bundled_${id}
    SOURCE_DIR ${${id}_SOURCE_DIR}
    PREFIX ${prefix}
    INSTALL_DIR ${prefix}
    LIST_SEPARATOR |
    CMAKE_ARGS ${forwarded} ${arg_OPTIONS}
      -DCMAKE_BUILD_TYPE=Release
      -DCMAKE_INSTALL_PREFIX=<INSTALL_DIR>
      -DCMAKE_INSTALL_LIBDIR=lib
      -DCMAKE_POSITION_INDEPENDENT_CODE=ON
      -DCMAKE_C_VISIBILITY_PRESET=hidden
      -DCMAKE_CXX_VISIBILITY_PRESET=hidden
      "-DCMAKE_C_FLAGS=${CMAKE_C_FLAGS} ${flags}"
      "-DCMAKE_CXX_FLAGS=${CMAKE_CXX_FLAGS} ${flags}"
    BUILD_BYPRODUCTS ${library}
    EXCLUDE_FROM_ALL TRUE)

  set(include ${prefix}/include)
  if(arg_INCLUDE_SUFFIX)
    string(APPEND include /${arg_INCLUDE_SUFFIX})
  endif()
  file(MAKE_DIRECTORY ${include}) # must exist when the imported target is made
  add_library(codec_${id} STATIC IMPORTED)
  set_target_properties(codec_${id} PROPERTIES IMPORTED_LOCATION ${library} INTERFACE_INCLUDE_DIRECTORIES ${include})
  add_dependencies(codec_${id} bundled_${id})
  target_link_libraries(volstream_core PRIVATE codec_${id})

  # Their licences ask to be passed on with what is linked in.
  if(SKBUILD)
    file(GLOB notices ${${id}_SOURCE_DIR}/LICENSE* ${${id}_SOURCE_DIR}/README.ijg)
    install(FILES ${notices} DESTINATION ${SKBUILD_METADATA_DIR}/licenses/${name})
  endif()
endfunction()
